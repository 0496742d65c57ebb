// SPDX-License-Identifier: MIT
#pragma once

// The shared words of a cancellation scope. For the library itself; it stands here because a scope
// contains them.
//
// The flag: whether the scope is cancelled. It never becomes false again.
//
// The slot: the blocking call that the worker or thread inside the scope makes now, if it makes one
// that can be interrupted.
//
//   empty   --offer-->     a call     the worker, before it looks at the flag and blocks
//   a call  --withdraw-->  empty      the worker, when the call is over
//   a call  --take-->      empty      a canceller, after it has set the flag
//
// The worker writes the slot and then reads the flag, the canceller writes the flag and then reads
// the slot: one of the two sees the other, so no call blocks in a cancelled scope for good. Hence
// sequential consistency. Whoever takes a call interrupts it, once; the worker that finds its call
// taken waits for that before it leaves the call's memory.
//
// A canceller reaches both words under the lock of its cancellation's list, in which the scope is,
// so neither is gone. The call it interrupts after that lock is open.
//
// Rejected: each call in the list of each cancellation it is under. All connections of a service
// below one cancellation would meet at its lock, twice for each wait.
//
// tests/model/sync_cancellation_model explores both words beside a waiter's, and variants that lack
// one part each.

#include <atomic>

namespace umcg::sched {

class interruptible;

class scope_flag {
 public:
  bool set() const noexcept { return cancelled_.load(); }
  void cancel() noexcept { cancelled_.store(true); }

 private:
  std::atomic<bool> cancelled_{false};
};

class wait_slot {
 public:
  void offer(interruptible& call) noexcept { call_.store(&call); }
  // False: a canceller has taken it, and interrupts it.
  bool withdraw(interruptible& call) noexcept {
    interruptible* expected = &call;
    return call_.compare_exchange_strong(expected, nullptr);
  }
  // Null: there is none, or another canceller has it.
  interruptible* take() noexcept { return call_.exchange(nullptr); }

 private:
  std::atomic<interruptible*> call_{nullptr};
};

}  // namespace umcg::sched
