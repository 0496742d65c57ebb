// SPDX-License-Identifier: MIT
#include "umcg/sync/semaphore.hpp"

#include "base/assert.hpp"
#include "libumcg/scheduling.hpp"
#include "sync/waiter.hpp"

namespace umcg::sync {

bool semaphore::acquire_until(deadline until) {
  if (state_.take()) return true;
  if (until.passed()) return false;
  if (wait_in_line(until)) return true;
  sched::report_scope_end(until);
  return false;
}

bool semaphore::wait_in_line(deadline until) noexcept {
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter self(wait_reason::semaphore, this);
  {
    const queue_guard line(queue_);
    if (state_.take_or_queue()) return true;
    line->push_back(self);
  }
  const auto leave = [this](const queue_guard& line) { state_.leave(!line->empty()); };
  return wait_in(queue_, self, until, leave) == signal::granted;
}

// Whoever gets the last unit may destroy the semaphore, except while others wait: so units are
// given under the lock of the line only if somebody in it gets one.
void semaphore::release(std::uint64_t units) noexcept {
  UMCG_ASSERT(units <= semaphore_state::units_max - state_.units());
  if (units == 0 || state_.give(units)) return;
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter_chain taken;
  do {
    const queue_guard line(queue_);
    while (units > 0 && !line->empty()) {
      taken.add(*line->pop());
      --units;
    }
    if (!taken.empty()) state_.give_rest(units, !line->empty());
  } while (taken.empty() && !state_.give(units));
  taken.send(signal::granted);
}

}  // namespace umcg::sync
