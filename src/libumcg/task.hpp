// SPDX-License-Identifier: MIT
#pragma once

// A task: anything a thread can be to libumcg (server, worker, basic task). Tasks live in the task
// table for ever and are used again for later threads, so a pointer to one is always valid memory;
// ids carry a generation.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/timer_wheel.hpp"
#include "libumcg/claim_state.hpp"
#include "libumcg/preempt_state.hpp"
#include "libumcg/task_state.hpp"

namespace umcg::libumcg {

struct group;
struct server_part;
struct task;
class half;
struct wait_note;

enum class task_kind : std::uint8_t { none, basic, server, worker };

// A deadline of a task in umcg_wait.
struct wait_timer : base::timer {
  task* owner = nullptr;
};

// Why a worker's server got control back.
enum class stop : std::uint8_t {
  none,
  blocked,
  waited,
  swapped,
  preempted,
  yielded,
  exited,
  unregistered
};

struct alignas(64) task {
  task_state state;        // shared word
  task* next = nullptr;    // owned by the list it is in
  task* server = nullptr;  // worker: who runs it; passes with the run
  // These are fixed while registered. Whoever comes late with an id may read another life's, and
  // must not follow `in`: the group may be gone.
  std::atomic<group*> in{nullptr};  // null for basic tasks
  std::atomic<half*> plug{nullptr};
  std::atomic<task_kind> kind{task_kind::none};
  std::atomic<bool> preemptible{false};
  stop why = stop::none;      // worker: set by itself before it departs, read by whoever commits it
  preempt_depth preempt_off;  // worker: own thread and its signal handler; watchers look
  claim_state claim;          // worker: whether it still has `server`
  // worker: own thread only, set by the half: it is asked to look away while library code runs.
  bool notices_blocking = false;
  bool delay_sampled = false;  // worker: whoever runs it counts how long it was in line
  std::uint32_t blocking = 0;  // worker: own thread only: how deep in regions without a server
  const wait_note* waits_for = nullptr;                   // own thread only; others: wait_note.hpp
  alignas(64) std::array<std::byte, 128> half_storage{};  // the half's own

  std::atomic<std::uint64_t> generation{0};
  std::atomic<std::intptr_t> tag{0};
  std::uint32_t slot = 0;  // fixed: place in the task table
  // The half's: there is a rouse for the next sleep. It may come when the task is gone and its slot
  // is another's, for whom it is an early end of a sleep.
  std::atomic<std::uint32_t> roused{0};
  wait_timer timer;     // worker: its deadline in umcg_wait; guarded by group::timers_lock
  deadline wait_until;  // worker: set by itself before it departs
  server_part* serving = nullptr;   // server: kept for the slot's next server, never freed
  void* user = nullptr;             // the sched layer's own; fixed while registered
  void (*exited)(task&) = nullptr;  // worker without a home: called once it has departed for good
  // For diagnosis. The name and the thread pointer are fixed while registered.
  std::array<char, 32> name{};  // ends with a zero
  // Own thread only: what it works at now, a text that outlives that; null: it does not say.
  const char* works_at = nullptr;
  std::uintptr_t thread_pointer = 0;
  // Own thread, or whoever has taken its server: the coarse time at which it lost that.
  std::int64_t region_since = 0;
  std::int64_t listed_at = 0;  // delay_sampled: when it got in line; passes with the worker
};

// The calling thread's task; null when it is not registered.
[[gnu::tls_model("initial-exec")]] extern thread_local constinit task* current_task;

}  // namespace umcg::libumcg
