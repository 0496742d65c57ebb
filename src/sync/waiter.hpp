// SPDX-License-Identifier: MIT
#pragma once

// How everything in this room waits: one waiter, on its own stack, in one queue.
// umcg/sync/wait_queue.hpp says who does what to it.

#include <cstdint>

#include "base/short_lock.hpp"
#include "libumcg/task_table.hpp"
#include "sched/bounds.hpp"
#include "sync/waiter_state.hpp"
#include "umcg/counters.hpp"
#include "umcg/deadline.hpp"
#include "umcg/sync/election_state.hpp"
#include "umcg/sync/wait_queue.hpp"

namespace umcg::sync {

class waiter final : private sched::interruptible {
 public:
  // Of the calling worker, server or basic task; or of the calling thread, as which a worker in a
  // blocking region counts. The mark is for the primitive.
  // `what` and `subject` (the primitive) are for diagnosis.
  explicit waiter(wait_reason what, const void* subject, std::uintptr_t its_mark = 0) noexcept;
  // One more place of `whose`, which waits in several queues at once: itself is in none of them.
  waiter(waiter& whose, std::uintptr_t its_mark) noexcept;
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  // Called by the one who waits: until a signal, or (none) the deadline, or that a scope around the
  // caller ends what it does.
  signal wait(deadline until) noexcept;
  // For the signal of one who has taken it out of its queue. Nothing ends that.
  signal wait_for_signal() noexcept;
  // Called by whoever has taken it out of its queue, under the queue's lock. False: another one
  // lets it go on, and it must not be looked at again.
  bool claim() noexcept;
  // It goes on by itself, whatever queues it is in. False: another one has claimed it, and it must
  // not look at what that one may have ended, but wait for the signal.
  bool claim_for_itself() noexcept { return election_.claim(); }
  // Called once by whoever has taken and claimed it, without any lock. The waiter may be gone
  // when it returns. A wake that comes too late for this wait ends a later one early, and whoever
  // waits looks what it has waited for.
  void send(signal what) noexcept;
  // Of one that waits in several queues: by the mark of which place it was claimed.
  std::uintptr_t claimed_by() const noexcept { return claimed_by_; }
  bool is_only_place() const noexcept { return whose_ == nullptr; }
  // Before it gets into a queue again.
  void listen_again() noexcept { state_.listen_again(); }

  const std::uintptr_t mark;

 private:
  friend class waiter_list;
  friend class waiter_chain;

  void interrupt() noexcept override;
  std::uint32_t wait_for(std::uint32_t bits, deadline until) noexcept;

  const wait_reason what_;
  const void* const subject_;
  waiter_state state_;
  const libumcg::task_reference task_;  // of nobody: a thread, which sleeps in the kernel
  waiter* const whose_ = nullptr;       // null: its only place
  election_state election_;
  std::uintptr_t claimed_by_ = 0;  // passes from whoever claims it to itself, with the signal
  // Guarded by the queue's lock; after it was taken out they are whoever's took it.
  waiter* next_ = nullptr;
  waiter* previous_ = nullptr;
  std::uint32_t round_ = 0;
  bool listed_ = false;
};

// Waiters that were taken out and are still to be signalled, by whoever has done that.
class waiter_chain {
 public:
  explicit waiter_chain(waiter* first = nullptr) noexcept : first_(first) {}
  waiter_chain(const waiter_chain&) = delete;
  waiter_chain& operator=(const waiter_chain&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  // Only to a chain that began empty.
  void add(waiter& last) noexcept;
  // What waiter_list::take_all() has given, under the same lock; without those that others claim.
  void add_claimed(waiter* all) noexcept;
  // Without any lock.
  void send(signal what) noexcept;

 private:
  waiter* first_;
  waiter* last_ = nullptr;
};

// The queue, as long as its lock is held: a few stores, and never over a wait or a signal.
class queue_guard {
 public:
  explicit queue_guard(wait_queue& queue) noexcept : queue_(queue) {
    base::lock_word(queue_.lock_);
  }
  ~queue_guard() { base::unlock_word(queue_.lock_); }
  queue_guard(const queue_guard&) = delete;
  queue_guard& operator=(const queue_guard&) = delete;

  waiter_list* operator->() const noexcept { return &queue_.waiters_; }

 private:
  wait_queue& queue_;
};

// Waits in a queue that the waiter has been put into. At the deadline, or when a scope ends, it
// leaves the queue by itself, if nobody has taken it out: then leave(queue) is called under the
// lock, and the result is none; sched::report_scope_end() knows why. Without that look, whoever has
// taken it out would signal a waiter that is gone, and what it was granted would be lost
// (tests/model/sync_mutex_model).
template <class Leave>
signal wait_in(wait_queue& queue, waiter& self, deadline until, Leave leave) noexcept {
  const signal received = self.wait(until);
  if (received != signal::none) return received;
  {
    const queue_guard held(queue);
    if (held->remove(self)) {
      leave(held);
      return signal::none;
    }
  }
  return self.wait_for_signal();
}

}  // namespace umcg::sync
