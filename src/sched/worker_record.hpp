// SPDX-License-Identifier: MIT
#pragma once

// A spawned worker's thread and the body it runs now. The record and its thread outlive the body:
// they are pooled and run the next one with a warm stack.

#include <array>
#include <cstdint>
#include <string_view>

#include "base/short_lock.hpp"
#include "libumcg/scheduling.hpp"
#include "sched/one_shot.hpp"
#include "umcg/body.hpp"

namespace umcg::sched {

class server_group;

class worker_record {
 public:
  // `home` is the head of the pool's list that the record belongs to.
  worker_record(server_group& owner, libumcg::task& self, worker_record*& home) noexcept
      : owner_(owner), self_(self), home_(home) {}

  // Makes the thread. Errors: not_enough_memory, resource_unavailable_try_again.
  std::error_code make_thread(std::size_t stack_size_bytes) noexcept;
  // Ends the thread of a pooled record; blocks until it has.
  void end_thread() noexcept;

  // Lets the pooled worker run `work`; the caller then publishes self(). Returns the number of this
  // run.
  std::uint64_t begin(body work, std::string_view name) noexcept;

  // Blocks until the run has ended.
  void join(std::uint64_t run) noexcept;

  libumcg::task& self() noexcept { return self_; }
  worker_record*& home() noexcept { return home_; }
  worker_record* next = nullptr;  // owned by the pool

 private:
  static void main(libumcg::task& self, libumcg::task* departed) noexcept;
  static void has_exited(libumcg::task& self) noexcept;
  void end_run() noexcept;

  struct joiner {
    one_shot ended;
    std::uint64_t run;
    joiner* next;
  };
  joiner* take_joiners(std::uint64_t run) noexcept;

  server_group& owner_;
  libumcg::task& self_;
  worker_record*& home_;
  body work_;              // passes from the spawner to the worker
  bool retiring_ = false;  // passes from end_thread() to the worker

  base::short_lock lock_;
  std::uint64_t begun_ UMCG_GUARDED_BY(lock_) = 0;  // runs are numbered from 1
  std::uint64_t ended_ UMCG_GUARDED_BY(lock_) = 0;
  joiner* joiners_ UMCG_GUARDED_BY(lock_) = nullptr;
};

}  // namespace umcg::sched
