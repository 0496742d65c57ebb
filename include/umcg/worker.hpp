// SPDX-License-Identifier: MIT
#pragma once

// Workers: threads with their own stack, TLS, errno and exceptions, run by the servers of a group.
// A worker that waits costs memory only. Everything that works on a thread works on a worker; what
// blocks through this library blocks the worker and lets its server run the next.
//
// The signal mask and the CPU affinity belong to the kernel thread that a worker happens to be on,
// where others come after it. A worker that changes its mask puts it back before it calls this
// library or ends: nobody is preempted where signals are blocked.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

#include "umcg/deadline.hpp"

namespace umcg {

namespace sched {
class worker_record;
class server_group;
}  // namespace sched

struct worker_options {
  std::string_view name = {};        // for diagnosis; the first 31 bytes are kept
  std::size_t stack_size_bytes = 0;  // 0: the group's
};

// A spawned worker, as std::jthread is a thread: joined when the handle goes, unless it was
// detached. A handle must not outlive its group, and one thread or worker at a time may use it.
class worker {
 public:
  // Refers to no worker.
  worker() noexcept = default;
  worker(worker&& other) noexcept;
  worker& operator=(worker&& other) noexcept;
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;
  ~worker();

  // Blocks the calling worker or thread until the worker's body has returned and been destroyed.
  // Nothing if it was joined or detached before. Scopes do not end it: the body may use what is the
  // caller's.
  void join() noexcept;

  // Lets the worker run on its own. Its group still waits for it.
  void detach() noexcept;

  bool joinable() const noexcept { return record_ != nullptr; }

 private:
  friend class sched::server_group;
  worker(sched::worker_record& record, std::uint64_t run) noexcept : record_(&record), run_(run) {}

  sched::worker_record* record_ = nullptr;
  std::uint64_t run_ = 0;
};

// Blocks the calling worker (on a plain thread: the thread) until the deadline, or for a duration.
// Returns without an error only then. Errors: at the deadline of a umcg::deadline_scope around the
// caller, if that is earlier, asio::error::timed_out; in a cancelled umcg::cancellation_scope
// asio::error::operation_aborted. Without scopes there are none.
void sleep_until(deadline until);
void sleep_until(deadline until, std::error_code& error);
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> duration) {
  sleep_until(deadline::after(duration));
}

// Lets the other workers that can run go first. On a plain thread: sched_yield().
void yield() noexcept;

// The name of the calling worker; empty on a plain thread. Valid while the worker runs its body.
std::string_view this_worker_name() noexcept;

}  // namespace umcg
