// SPDX-License-Identifier: MIT
#pragma once

// Mutual exclusion between workers of any groups, servers, basic tasks and plain threads. Whoever
// finds the mutex taken waits as what it is: a worker gives its server to others, a thread - and a
// worker in a blocking region - sleeps in the kernel.
//
// A Lockable of the standard: std::unique_lock, std::lock_guard and std::scoped_lock work on it.
//
// Fairness. Waiters stand in line. Unlocking calls the first of them, and until that one has come,
// others may take the mutex; if it comes in vain, the next unlocking hands the mutex over to it. So
// a worker that locks again and again needs no switch for each time, and everybody gets the mutex
// after the waiters before it: nobody starves.
//
// Thread safety: all functions may be called at any time. The mutex may be destroyed as soon as
// nobody owns it or waits, even if the last unlock() has not returned. Not recursive.

#include <cstdint>

#include "umcg/deadline.hpp"
#include "umcg/sync/mutex_state.hpp"
#include "umcg/sync/wait_queue.hpp"

namespace umcg::sync {

class mutex {
 public:
  constexpr mutex() noexcept = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  // Blocks until the mutex is the caller's, which must not own it already (that is reported, and
  // ends the program). Errors: those of a scope around the caller (umcg/sync.hpp).
  void lock();

  // Never blocks. False: it is taken.
  bool try_lock() noexcept;

  // Blocks until the mutex is the caller's, or until the deadline: false. A free mutex is taken
  // also when the deadline has passed. Errors as lock().
  bool try_lock_until(deadline until);

  // Never blocks. Only for the worker or thread that owns the mutex: anybody else is reported, and
  // ends the program.
  void unlock() noexcept;

 private:
  bool lock_slowly(std::uintptr_t self, deadline until) noexcept;
  bool arrive(waiter& here, deadline until) noexcept;
  void unlock_slowly(std::uintptr_t self) noexcept;

  mutex_state state_;
  wait_queue queue_;
};

}  // namespace umcg::sync
