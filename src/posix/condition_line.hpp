// SPDX-License-Identifier: MIT
#pragma once

// Workers that wait for condition variables of the C library, of all whose addresses lead here.
//
// A worker gets in line while it owns the mutex; whoever signals takes it out, unless it has left
// by itself at its deadline: the lock of the line decides. So a signal is for one worker, and is
// not lost. That nobody who unlocks the mutex first, or signals without it, overlooks the worker is
// the mutex's doing, which orders the two, as POSIX asks of every program.

#include <pthread.h>

#include "base/short_lock.hpp"
#include "libumcg/task.hpp"
#include "posix/address_list.hpp"
#include "posix/line_state.hpp"

namespace umcg::posix {

// Of one worker for one condition variable, on the worker's stack.
struct condition_waiter : address_node<condition_waiter> {
  condition_waiter(libumcg::task& self, const pthread_cond_t& wanted) noexcept
      : address_node(&wanted), who(self) {}

  libumcg::task& who;
};

class alignas(64) condition_line {
 public:
  constexpr condition_line() noexcept = default;
  condition_line(const condition_line&) = delete;
  condition_line& operator=(const condition_line&) = delete;

  // The worker itself, in library code, owning the mutex:
  void enter(condition_waiter& self) noexcept;
  // Whether it is still in line.
  bool holds(const condition_waiter& self) noexcept;
  // False: it was signalled, and is not in line.
  bool leave(condition_waiter& self) noexcept;

  // Any thread. The condition variable may be gone.
  void signal_one(const void* condition) noexcept {
    if (state_.anybody()) signal(condition, false);
  }
  void signal_all(const void* condition) noexcept {
    if (state_.anybody()) signal(condition, true);
  }

 private:
  void signal(const void* condition, bool all) noexcept;

  line_state state_;
  base::short_lock lock_;
  address_list<condition_waiter> waiters_ UMCG_GUARDED_BY(lock_);
};

}  // namespace umcg::posix
