// SPDX-License-Identifier: MIT
#pragma once

// Waiting, with a sync::mutex unlocked meanwhile, for what others change under that mutex.
//
// Thread safety: all functions may be called at any time; everybody who waits at once uses one
// mutex. The condition variable may be destroyed when everybody who waits has been notified, even
// if their waits have not returned; of those with deadlines all have to have returned.

#include <condition_variable>
#include <mutex>

#include "umcg/deadline.hpp"
#include "umcg/sync/condition_state.hpp"
#include "umcg/sync/mutex.hpp"
#include "umcg/sync/wait_queue.hpp"

namespace umcg::sync {

class condition_variable {
 public:
  constexpr condition_variable() noexcept = default;
  condition_variable(const condition_variable&) = delete;
  condition_variable& operator=(const condition_variable&) = delete;

  // Unlocks the mutex, which the caller owns, blocks until notified, and locks it again. A
  // notification between the unlocking and the waiting is not lost. Does not return without a
  // notification; but when it returns, others may have changed again what was waited for: loop, or
  // pass a predicate. Errors: those of a scope around the caller (umcg/sync.hpp); the
  // mutex is locked again then too.
  void wait(std::unique_lock<mutex>& lock) { wait_until(lock, deadline::never()); }

  // The same until the deadline: then timeout. Locks the mutex again in any case, and blocks for
  // that beyond the deadline and whatever scopes say. A notification is never lost by a deadline:
  // who was chosen by notify_one() returns no_timeout. Errors as wait().
  std::cv_status wait_until(std::unique_lock<mutex>& lock, deadline until);

  // Waits until `holds()`, called with the mutex locked. An exception of it leaves the wait.
  template <class Predicate>
  void wait(std::unique_lock<mutex>& lock, Predicate holds) {
    while (!holds()) wait(lock);
  }
  // The same until the deadline. Returns what `holds()` returned last.
  template <class Predicate>
  bool wait_until(std::unique_lock<mutex>& lock, deadline until, Predicate holds) {
    while (!holds()) {
      if (wait_until(lock, until) == std::cv_status::timeout) return holds();
    }
    return true;
  }

  // Lets the one that has waited longest go on, or all that wait. Never blocks; the caller need not
  // own the mutex.
  void notify_one() noexcept;
  void notify_all() noexcept;

 private:
  bool wait_in_queue(std::unique_lock<mutex>& lock, deadline until) noexcept;

  condition_state state_;
  wait_queue queue_;
};

}  // namespace umcg::sync
