// SPDX-License-Identifier: MIT
#pragma once

// Workers that wait for mutexes of the C library, of all mutexes whose addresses lead here.
//
// A worker gets in line, tries the mutex again and waits. Whoever unlocks the mutex calls the first
// one that waits for it, which stays in line until it has the mutex: as long as it is on its way
// nobody else is called. If it comes in vain, because others were faster, it demands the mutex:
// workers that come later get in line behind it without a try. So a worker that locks again and
// again needs no switch for each time, and no other worker overtakes one for ever. (Threads do not
// get in line, and can.) Who was called, or demanded the mutex, and gives up at its deadline calls
// another.
//
// There is one unlocking that nobody sees: pthread_cond_wait of the C library, in which threads
// wait. Before it the thread announces that here and calls the first one. While such a thread may
// still own the mutex, workers wait for the mutex in the C library, as if they had not been in
// line, with their carriers: that is over in a few instructions.
//
// tests/model/posix_mutex_model explores all of that.

#include <pthread.h>

#include "base/short_lock.hpp"
#include "libumcg/task.hpp"
#include "posix/address_list.hpp"
#include "posix/line_state.hpp"

namespace umcg::posix {

// Of one worker for one mutex, on the worker's stack.
struct mutex_waiter : address_node<mutex_waiter> {
  mutex_waiter(libumcg::task& self, pthread_mutex_t& wanted) noexcept
      : address_node(&wanted), who(self), mutex(wanted) {}

  libumcg::task& who;
  pthread_mutex_t& mutex;
  // Guarded by the lock of the line; its owner's when it has left that.
  // Somebody has unlocked the mutex since it listened last: if it gives up, it calls another.
  bool called = false;
  bool demands = false;  // it was called in vain
};

// A thread that is about to unlock a mutex inside the C library, and until it is back.
struct unseen_unlock : address_node<unseen_unlock> {
  explicit unseen_unlock(pthread_mutex_t& mutex) noexcept;

  const int owner;  // as the C library names the thread
};

// What a worker does next.
enum class turn : unsigned char {
  tries,   // it tries the mutex, and waits if that is taken
  waits,   // it waits
  blocks,  // it locks the mutex in the C library; it is not in line any more
};

class alignas(64) mutex_line {
 public:
  constexpr mutex_line() noexcept = default;
  mutex_line(const mutex_line&) = delete;
  mutex_line& operator=(const mutex_line&) = delete;

  // Whether a worker that comes has to get in line. Any thread.
  bool anybody_demands() const noexcept { return state_.anybody_demands(); }

  // The worker itself, in library code:
  turn enter(mutex_waiter& self) noexcept;
  // After a wait, and if it was called a try in vain.
  turn listen_again(mutex_waiter& self) noexcept;
  // It has the mutex.
  void leave(mutex_waiter& self) noexcept;
  // Its deadline has passed.
  void give_up(mutex_waiter& self) noexcept;

  // Whoever has just unlocked the mutex, which may be gone. Any thread.
  void unlocked(const void* mutex) noexcept {
    line_state::after_unlocking();
    if (state_.anybody()) [[unlikely]]
      call(mutex);
  }
  // Lets the first one for the mutex, if there is one, look at it. Any thread.
  void call(const void* mutex) noexcept;

  // By a thread that owns the mutex, and by the same one after its wait.
  void announce(unseen_unlock& self) noexcept;
  void withdraw(unseen_unlock& self) noexcept;

 private:
  libumcg::task* call_first(const void* mutex) noexcept UMCG_REQUIRES(lock_);
  bool is_unlocked_unseen(pthread_mutex_t& mutex) const noexcept UMCG_REQUIRES(lock_);
  void take_out(mutex_waiter& self) noexcept UMCG_REQUIRES(lock_);

  line_state state_;
  base::short_lock lock_;
  address_list<mutex_waiter> waiters_ UMCG_GUARDED_BY(lock_);
  address_list<unseen_unlock> unseen_ UMCG_GUARDED_BY(lock_);
};

}  // namespace umcg::posix
