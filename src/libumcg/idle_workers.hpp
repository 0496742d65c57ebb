// SPDX-License-Identifier: MIT
#pragma once

// One queue of the idle workers list. The list of a group is the union of these: one queue for each
// server, for what becomes runnable on it, and one that is shared. First in, first out; linked
// through task::next; each under its own short lock, held for a few stores. A worker in a queue is
// `listed`; taking it makes it `held`.
//
// Rejected: one queue for the group (every block and unblock of every server meets on one cache
// line, and a connection wanders between servers), and a lock-free stack taken whole (whoever takes
// it holds workers that an idle server could run; it is last in, first out).

#include <atomic>
#include <cstddef>

#include "base/short_lock.hpp"
#include "libumcg/task.hpp"

namespace umcg::libumcg {

// A private chain of tasks, linked through task::next.
struct task_chain {
  task* first = nullptr;
  task* last = nullptr;
  std::size_t size = 0;

  bool empty() const noexcept { return first == nullptr; }
  void push(task& worker) noexcept {
    worker.next = nullptr;
    (last != nullptr ? last->next : first) = &worker;
    last = &worker;
    ++size;
  }
  task* pop() noexcept {
    task* worker = first;
    if (worker == nullptr) return nullptr;
    first = worker->next;
    if (first == nullptr) last = nullptr;
    --size;
    return worker;
  }
  void append(task_chain& other) noexcept {
    if (other.empty()) return;
    (last != nullptr ? last->next : first) = other.first;
    last = other.last;
    size += other.size;
    other = {};
  }
};

class idle_workers {
 public:
  void push(task& worker) noexcept {
    base::short_guard guard(lock_);
    chain_.push(worker);
    size_.store(chain_.size);
  }

  void push_all(task_chain& workers) noexcept {
    base::short_guard guard(lock_);
    chain_.append(workers);
    size_.store(chain_.size);
  }

  // The oldest worker, held; null when there is none.
  task* take() noexcept {
    if (empty()) return nullptr;
    task* worker;
    {
      base::short_guard guard(lock_);
      worker = chain_.pop();
      size_.store(chain_.size);
    }
    if (worker != nullptr) UMCG_ASSERT(worker->state.hold());
    return worker;
  }

  // The older half, at most `most` workers, still listed. None when the queue's server is another
  // group's by now.
  task_chain take_half(std::size_t most, const group* of) noexcept {
    task_chain taken;
    if (empty()) return taken;
    base::short_guard guard(lock_);
    if (of != group_) return taken;
    const std::size_t half = (chain_.size + 1) / 2;
    while (taken.size < half && taken.size < most) taken.push(*chain_.pop());
    size_.store(chain_.size);
    return taken;
  }

  // Whose workers these are: a server's queue outlives its registration. Null for nobody's.
  void belong_to(const group* in) noexcept {
    base::short_guard guard(lock_);
    group_ = in;
  }

  // May be asked without the lock: a pusher's push happens before it asks who is parked, and a
  // parking server's announcement before it asks this; both are sequentially consistent, so one of
  // the two sees the other.
  bool empty() const noexcept { return size_.load() == 0; }
  std::size_t size() const noexcept { return size_.load(); }

 private:
  base::short_lock lock_;
  task_chain chain_ UMCG_GUARDED_BY(lock_);
  const group* group_ UMCG_GUARDED_BY(lock_) = nullptr;
  std::atomic<std::size_t> size_{0};
};

}  // namespace umcg::libumcg
