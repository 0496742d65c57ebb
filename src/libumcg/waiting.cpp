// SPDX-License-Identifier: MIT
// Wait, wake and swap, and the deadlines of waiting workers.
#include <algorithm>

#include "libumcg/scheduling.hpp"

namespace umcg::libumcg {

namespace {

// A server or basic task sleeps in the kernel, on its own kernel thread.
bool wait_asleep(task& self, deadline until) noexcept {
  if (!self.state.wait_unless_woken()) return true;
  while (self.state.place() == task_state::waiting) {
    if (!self.plug.load()->sleep(self, until) && self.state.stop_waiting()) return false;
  }
  return true;
}

bool end_worker_wait(task& self) noexcept {
  if (!self.wait_until.is_never()) disarm_deadline(self);
  return !self.state.end_wait();
}

void set_next_timer(group& in) noexcept UMCG_REQUIRES(in.timers_lock) {
  const auto next = in.timers.next_expiry();
  in.next_timer.store(next ? next->time_since_epoch().count() : INT64_MAX);
}

// A worker that stops until a wake, its deadline or a swap to it.
bool wait_departed(task& self, deadline until, stop why) noexcept {
  if (self.state.take_wake()) return true;
  self.wait_until = until;
  depart(self, why);
  return end_worker_wait(self);
}

swap_result wait_for_swap(task& self, deadline until) noexcept {
  const bool woken = self.kind == task_kind::worker ? wait_departed(self, until, stop::swapped)
                                                    : wait_asleep(self, until);
  return woken ? swap_result::done : swap_result::timed_out;
}

}  // namespace

void arm_deadline(task& worker) noexcept {
  group& in = *worker.in;
  bool earlier;
  {
    base::short_guard guard(in.timers_lock);
    const std::int64_t before = in.next_timer.load();
    worker.timer.owner = &worker;
    in.timers.insert(worker.timer, worker.wait_until.when());
    set_next_timer(in);
    earlier = in.next_timer.load() < before;
  }
  if (earlier) tell_timekeeper(in);
}

void disarm_deadline(task& worker) noexcept {
  group& in = *worker.in;
  base::short_guard guard(in.timers_lock);
  in.timers.remove(worker.timer);
  set_next_timer(in);
}

void pass_deadlines(group& in) noexcept {
  const std::int64_t next = in.next_timer.load();
  if (next == INT64_MAX) return;
  const auto now = deadline::clock::now();
  if (now.time_since_epoch().count() < next) return;
  task_chain due;
  {
    base::short_guard guard(in.timers_lock);
    // The move is made under the lock: a worker that leaves its wait takes its timer out under the
    // lock first, so no deadline can hit the worker's next wait.
    in.timers.advance(now, [&due](base::timer& timer) noexcept {
      task& worker = *static_cast<wait_timer&>(timer).owner;
      if (worker.state.time_out()) due.push(worker);
    });
    set_next_timer(in);
  }
  while (task* worker = due.pop()) publish(*worker);
}

bool wait(task& self, deadline until) noexcept {
  return self.kind == task_kind::worker ? wait_departed(self, until, stop::waited)
                                        : wait_asleep(self, until);
}

void publish_woken(task& worker) noexcept {
  group& in = *worker.in;
  const bool inside = current_task != nullptr && current_task->in.load() == &in;
  // Before the worker is published: after that the group may be gone.
  if (!inside && !in.woken_from_outside.load()) in.woken_from_outside.store(true);
  publish(worker);
}

bool wake(const task_reference& target) noexcept {
  task& who = *target.who;
  if (!target.current()) return false;
  switch (who.state.wake(target.life, who.kind == task_kind::worker)) {
    case wake_result::stale:
      return false;
    case wake_result::queued:
      break;
    case wake_result::publish:
      publish_woken(who);
      break;
    case wake_result::rouse:
      who.plug.load()->rouse(who);
      break;
  }
  return true;
}

swap_result swap(task& self, const task_reference& next, deadline until) noexcept {
  const bool works = self.kind == task_kind::worker;
  if (!works || self.state.has_wake()) {
    // Nobody's place to give away: a server or basic task sleeps in the kernel, and a worker with a
    // queued wake does not stop at all. It keeps the wake if the swap fails.
    if (!wake(next)) return swap_result::gone;
    if (!works) return wait_for_swap(self, until);
    self.state.take_wake();
    return swap_result::done;
  }
  task& target = *next.who;
  if (!next.current()) return swap_result::gone;
  if (!target.state.run_found(next.life, true)) {
    if (target.state.place() == task_state::listed) return swap_result::busy;
    if (!wake(next)) return swap_result::gone;
    return wait_for_swap(self, until);
  }
  target.server = self.server;
  server_counters& counts = self.server->serving->counts;
  counts.count_block(wait_reason::swap);
  count_run(*self.server, target);
  self.why = stop::swapped;
  self.wait_until = until;
  commit(self.plug.load()->switch_to(self, target, &self));
  return end_worker_wait(self) ? swap_result::done : swap_result::timed_out;
}

}  // namespace umcg::libumcg
