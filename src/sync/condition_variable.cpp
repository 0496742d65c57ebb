// SPDX-License-Identifier: MIT
#include "umcg/sync/condition_variable.hpp"

#include "base/assert.hpp"
#include "libumcg/scheduling.hpp"
#include "sync/waiter.hpp"

namespace umcg::sync {

std::cv_status condition_variable::wait_until(std::unique_lock<mutex>& lock, deadline until) {
  UMCG_ASSERT(lock.owns_lock());
  if (wait_in_queue(lock, until)) return std::cv_status::no_timeout;
  sched::report_scope_end(until);
  return std::cv_status::timeout;
}

bool condition_variable::wait_in_queue(std::unique_lock<mutex>& lock, deadline until) noexcept {
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter self(wait_reason::condition_variable, this);
  {
    const queue_guard queue(queue_);
    state_.queue();
    queue->push_back(self);
  }
  lock.unlock();
  const auto leave = [this](const queue_guard& queue) { state_.leave(!queue->empty()); };
  const bool notified = wait_in(queue_, self, until, leave) != signal::none;
  const scope_shield whatever_scopes_say;
  lock.lock();
  return notified;
}

void condition_variable::notify_one() noexcept {
  if (!state_.anybody()) return;
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter* first;
  {
    const queue_guard queue(queue_);
    first = queue->pop();
    state_.leave(!queue->empty());
  }
  if (first != nullptr) first->send(signal::granted);
}

void condition_variable::notify_all() noexcept {
  if (!state_.anybody()) return;
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter* all;
  {
    const queue_guard queue(queue_);
    all = queue->take_all();
    state_.leave(false);
  }
  waiter_chain(all).send(signal::granted);
}

}  // namespace umcg::sync
