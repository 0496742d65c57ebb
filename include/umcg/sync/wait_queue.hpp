// SPDX-License-Identifier: MIT
#pragma once

// The waiters of one primitive. For the library itself; it stands here because primitives contain
// one.
//
// A waiter lies on the stack of the worker or thread that waits, so waiting allocates nothing.
// Whoever lets a waiter go on takes it out under the lock and signals it after the lock is open
// again. Until that signal the waiter stays where it is, even if its deadline passes meanwhile; the
// signal is the last that is done to it. So for each waiter there is one answer, found under the
// lock: it was taken out, or it left by itself at its deadline.
//
// Each primitive has its own queue. One table of queues for all, by address, would make a primitive
// a single word; but a hundred thousand workers that wait, each for something of its own, would
// share a few hundred lists and search them.

#include <atomic>
#include <cstdint>

namespace umcg::sync {

class waiter;

// In order of arrival. Guarded by the lock that it lies beside.
class waiter_list {
 public:
  constexpr waiter_list() noexcept = default;
  waiter_list(const waiter_list&) = delete;
  waiter_list& operator=(const waiter_list&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  waiter* first() const noexcept { return first_; }

  void push_back(waiter& last) noexcept;
  void push_front(waiter& first) noexcept;
  // Takes the first out; null when there is none.
  waiter* pop() noexcept;
  // Takes all out, however many: a chain by waiter::next.
  waiter* take_all() noexcept;
  // False: it is not here, somebody has taken it out.
  bool remove(waiter& one) noexcept;

 private:
  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
  std::uint32_t round_ = 0;  // how often all were taken out
};

class wait_queue {
 public:
  constexpr wait_queue() noexcept = default;
  wait_queue(const wait_queue&) = delete;
  wait_queue& operator=(const wait_queue&) = delete;

 private:
  friend class queue_guard;

  std::atomic<std::uint32_t> lock_{0};  // held for a few stores, by queue_guard
  waiter_list waiters_;
};

}  // namespace umcg::sync
