// SPDX-License-Identifier: MIT
#include "umcg/sync/gate.hpp"

#include "base/assert.hpp"
#include "libumcg/scheduling.hpp"
#include "sync/waiter.hpp"

namespace umcg::sync {

bool gate::wait_until(deadline until) {
  if (state_.is_open()) return true;
  if (until.passed()) return false;
  if (wait_in_queue(until)) return true;
  sched::report_scope_end(until);
  return false;
}

bool gate::wait_in_queue(deadline until) noexcept {
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter self(wait_reason::gate, this);
  {
    const queue_guard queue(queue_);
    if (!state_.queue()) return true;
    queue->push_back(self);
  }
  const auto leave = [this](const queue_guard& queue) { state_.leave(!queue->empty()); };
  return wait_in(queue_, self, until, leave) == signal::granted;
}

void gate::add(std::uint64_t count) noexcept {
  UMCG_ASSERT(count <= gate_state::count_max - state_.count());
  state_.add(count);
}

// Whoever finds the gate open may destroy it, except while others wait: so it is opened under the
// lock of the queue only if there is somebody in that.
void gate::take(std::uint64_t count) noexcept {
  taken result = state_.take(count);
  while (result == taken::waited_for) {
    if (take_queued(count)) return;
    result = state_.take(count);
  }
  UMCG_ASSERT(result == taken::yes && "more was done than was to be done");
}

void gate::open() noexcept {
  while (state_.take_all() == taken::waited_for) {
    if (take_queued(gate_state::count_max)) return;
  }
}

// False: nobody waits any more, and nothing was done.
bool gate::take_queued(std::uint64_t count) noexcept {
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter* all = nullptr;
  {
    const queue_guard queue(queue_);
    if (queue->empty()) return false;
    if (state_.take_queued(count)) all = queue->take_all();
  }
  waiter_chain(all).send(signal::granted);
  return true;
}

}  // namespace umcg::sync
