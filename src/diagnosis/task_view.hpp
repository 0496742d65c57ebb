// SPDX-License-Identifier: MIT
#pragma once

// What all tasks do, looked at while they go on. A task is copied between two looks at its state
// word: if it has made no move in between, the copy is of one moment.

#include <array>
#include <cstdint>
#include <span>

#include "diagnosis/call_stack.hpp"
#include "diagnosis/inquiry.hpp"
#include "diagnosis/mapped_array.hpp"
#include "libumcg/half.hpp"
#include "libumcg/task.hpp"
#include "libumcg/wait_note.hpp"

namespace umcg::diagnosis {

struct task_view {
  libumcg::task* who = nullptr;
  std::intptr_t id = 0;
  libumcg::task_kind kind = libumcg::task_kind::none;
  std::uint64_t state = 0;                  // and flags, see task_state
  std::uint64_t stamp = 0;                  // it has made no move while that is the same
  const libumcg::group* in = nullptr;       // only to be compared: it may be gone
  const libumcg::task* server = nullptr;    // a worker's: who runs it, or ran it last; may be null
  libumcg::server_part* serving = nullptr;  // a server's
  libumcg::half* plug = nullptr;
  std::array<char, 32> name{};
  std::uintptr_t thread_pointer = 0;
  bool lost_server = false;         // a worker's: it was seen to block
  std::array<char, 48> works_at{};  // what it says that it works at; empty: nothing
  bool waits = false;               // then `note` says for what
  libumcg::wait_note note;
  std::uintptr_t lock_owner = 0;  // of what it waits for: a thread pointer; 0: not known
  // It waits for a mutex in the C library, and blocks a kernel thread, which has been run so often;
  // 0: it does not.
  std::uint64_t in_mutex_since_run = 0;
  libumcg::whereabouts where;

  std::uint64_t place() const noexcept { return state & libumcg::task_state::place_mask; }
  bool runs() const noexcept { return place() == libumcg::task_state::running; }
  // It goes on without a server: in a blocking region, or because it was seen to block.
  bool in_region() const noexcept {
    return place() == libumcg::task_state::blocked && (server == nullptr || lost_server);
  }
  bool has_not_moved() const noexcept;
  // Its registers are with a kernel thread, not saved.
  bool on_kernel_thread() const noexcept { return runs() || in_region() || where.frame == 0; }
};

// All tasks that are registered now.
class all_tasks {
 public:
  all_tasks() noexcept;

  std::span<task_view> views() noexcept { return views_.all(); }
  // Null: not a task, or none that was seen.
  task_view* find_by_thread_pointer(std::uintptr_t thread_pointer) noexcept;
  task_view* find(const libumcg::task* who) noexcept;

 private:
  void find_owners_by_thread_id() noexcept;

  mapped_array<task_view> views_;
  mapped_array<std::uint32_t> by_thread_pointer_;
};

// One task. False: it is not registered.
bool look_at(libumcg::task& who, task_view& into) noexcept;

// The stack of a task whose registers are saved. False: it has gone on meanwhile.
bool walk_parked(const task_view& view, call_stack& into) noexcept;

}  // namespace umcg::diagnosis
