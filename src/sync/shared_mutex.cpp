// SPDX-License-Identifier: MIT
#include "umcg/sync/shared_mutex.hpp"

#include "base/assert.hpp"
#include "libumcg/scheduling.hpp"
#include "sync/waiter.hpp"

namespace umcg::sync {

namespace {

// The marks of waiters.
constexpr std::uintptr_t writes = 0;
constexpr std::uintptr_t reads = 1;

// Takes out the readers that stand before the first writer, and counts them.
std::uint64_t take_readers(const queue_guard& line, waiter_chain& taken) noexcept {
  std::uint64_t count = 0;
  for (; !line->empty() && line->first()->mark == reads; ++count) taken.add(*line->pop());
  return count;
}

// Of the only owner: to the first in line, which is not empty.
void hand_over(shared_mutex_state& state, const queue_guard& line, waiter_chain& taken) noexcept {
  const std::uint64_t readers = take_readers(line, taken);
  if (readers == 0) taken.add(*line->pop());
  state.hand_over(readers, !line->empty());
}

}  // namespace

bool shared_mutex::try_lock_until(deadline until) {
  return state_.take() || lock_slowly(false, until);
}

bool shared_mutex::try_lock_shared_until(deadline until) {
  return state_.take_shared() || lock_slowly(true, until);
}

bool shared_mutex::lock_slowly(bool as_reader, deadline until) {
  if (until.passed()) return false;
  if (wait_in_line(as_reader, until)) return true;
  sched::report_scope_end(until);
  return false;
}

bool shared_mutex::wait_in_line(bool as_reader, deadline until) noexcept {
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter self(wait_reason::shared_mutex, this, as_reader ? reads : writes);
  {
    const queue_guard line(queue_);
    if (as_reader ? state_.take_shared_or_queue() : state_.take_or_queue()) return true;
    line->push_back(self);
  }
  // Readers that stood behind it only may come in now, to those that are.
  waiter_chain let_in;
  const auto leave = [this, &let_in](const queue_guard& line) {
    const std::uint64_t count = state_.written() ? 0 : take_readers(line, let_in);
    state_.leave(count, !line->empty());
  };
  const bool granted = wait_in(queue_, self, until, leave) == signal::granted;
  let_in.send(signal::granted);
  return granted;
}

// Whoever gets the mutex next may destroy it, except while others wait: so it is let go under the
// lock of the line only if there is somebody in it.
void shared_mutex::unlock() noexcept {
  if (state_.let_go()) return;
  UMCG_ASSERT(state_.written() && "a shared mutex is unlocked that nobody has locked");
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter_chain next;
  do {
    const queue_guard line(queue_);
    if (!line->empty()) hand_over(state_, line, next);
  } while (next.empty() && !state_.let_go());
  next.send(signal::granted);
}

void shared_mutex::unlock_shared() noexcept {
  UMCG_ASSERT(state_.readers() != 0 && "a shared mutex is unlocked that nobody has locked");
  if (state_.let_go_shared()) return;
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter_chain next;
  do {
    const queue_guard line(queue_);
    if (!line->empty() && state_.readers() == 1) hand_over(state_, line, next);
  } while (next.empty() && !state_.let_go_shared());
  next.send(signal::granted);
}

}  // namespace umcg::sync
