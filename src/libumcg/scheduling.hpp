// SPDX-License-Identifier: MIT
#pragma once

// What libumcg does, in terms of tasks: how a worker departs from its carrier and arrives on one,
// how servers find idle workers and park, how tasks wait and wake. The C API (api.cpp) and the
// sched layer are both written on this. What has to come before what, and what goes wrong
// otherwise, is shown by tests/model: departure_model, worker_wait_model, swap_model.

#include <cstdint>

#include "libumcg/group.hpp"
#include "libumcg/task.hpp"
#include "libumcg/task_table.hpp"
#include "umcg/deadline.hpp"

namespace umcg::libumcg {

// --- departing and arriving (departing.cpp) ---

// Runs on a worker: stops it for the reason `why` and continues the next worker or its server.
// Returns when somebody runs the worker again, maybe on another server.
void depart(task& self, stop why) noexcept;

// A worker that is about to block its kernel thread goes on without a server, which runs others
// meanwhile; and comes back through the idle workers list. Pairs nest; the outermost counts. Where
// the half cannot do that, nothing happens.
void leave_server(task& self) noexcept;
void return_to_servers(task& self) noexcept;
// As many return_to_servers() as are missing, for a worker that ends.
void end_blocking(task& self) noexcept;
// The half: a worker that left its server may be switched to from now on.
void returned(task& worker) noexcept;
// The half: takes the server from a worker that blocks its kernel thread, for which the caller has
// a token of its claim. True: the caller continues the server, with the worker as the departed
// task.
bool take_server(task& worker, std::uint64_t token, handoff_cause cause) noexcept;
// A worker that enters the library while somebody wants its server, or has taken it: then the
// worker comes back through the idle workers list.
void settle_claim(task& self) noexcept;

// Runs on whoever was continued: completes the departure of the task whose registers are now saved.
// Null: nothing.
void commit(task* departed) noexcept;

// Library code begins and ends on a worker: it is not preempted, and the half does not take the
// server away if it sleeps. Pairs nest.
inline void begin_library_code(task& self) noexcept {
  self.preempt_off.enter();
  if (self.claim.is_disputed()) [[unlikely]]
    settle_claim(self);
  if (self.notices_blocking && self.preempt_off.depth() == 1) [[unlikely]] {
    self.plug.load()->ignore_blocking(self);
  }
}
// A worker that has not run yet begins inside library code: it commits the departure of whoever
// ran before it on the carrier, and may not lose its server before that. The first by whoever makes
// it, the second by itself.
inline void be_born_inside(task& worker) noexcept { worker.preempt_off.begin_at(1); }
inline void continue_inside(task& self) noexcept {
  if (self.notices_blocking) self.plug.load()->ignore_blocking(self);
}
inline void end_library_code(task& self) noexcept {
  if (self.notices_blocking && self.preempt_off.depth() == 1) [[unlikely]] {
    self.plug.load()->notice_blocking(self);
  }
  self.preempt_off.exit();
}

// Library code on any thread; on the last exit it honours a request for preemption that came
// meanwhile.
class preempt_guard {
 public:
  explicit preempt_guard(task* self) noexcept : self_(self) {
    if (self_ != nullptr) begin_library_code(*self_);
  }
  ~preempt_guard() {
    if (self_ != nullptr) leave();
  }
  preempt_guard(const preempt_guard&) = delete;
  preempt_guard& operator=(const preempt_guard&) = delete;

 private:
  void leave() noexcept;
  task* self_;
};

// What the preemption signal does on the thread it reaches. False: there was no request; the signal
// is not ours.
bool honour_preempt_request() noexcept;
// What it does before that: a worker that has lost its server comes back through the idle workers
// list, unless it is inside the library and about to. Only where there is a quantum: elsewhere
// nobody looks whether it is inside the C library.
void honour_recall() noexcept;

// --- the idle workers list (serving.cpp) ---

// Puts a worker that the caller has just made `listed` into the idle workers list, and summons a
// parked server.
void publish(task& worker) noexcept;
// The same for one that was preempted.
void publish_preempted(task& worker) noexcept;
// The same for workers that `server`'s own reactor has made listed: the server is about to take the
// first of them.
void publish_here(task& server, task_chain& workers) noexcept;

// Ends the sleep of one parked server, if there is one.
void summon_one(group& in) noexcept;
// Ends the sleep of the one that knows the next deadline, or of any if none does: there is an
// earlier one now.
void tell_timekeeper(group& in) noexcept;

// The next idle worker for `server`, held; null when there is none. Also lets due deadlines of the
// group pass.
task* take_idle_worker(task& server) noexcept;
// The same among the workers that were preempted, where the servers take these apart
// (server_part::defers_preempted): they have had their share, so others go first.
task* take_preempted_worker(task& server) noexcept;
bool any_preempted_worker(const group& in) noexcept;
// Sleeps until there may be an idle worker again, or the deadline.
void park(task& server, deadline until) noexcept;
// A server that found nothing neither parks nor looks again.
void give_up_parking(task& server) noexcept;

struct run_result {
  task* worker;  // who departed last: not `worker` if it swapped to another
  std::uint64_t generation;
  stop why;
  bool handed_off;  // it was seen to block, and goes on without this server
};
// Runs a worker that the caller has just made `running` until it, or the last of those that
// followed it directly, departs.
run_result run(task& server, task& worker) noexcept;

// On the carrier of `server`, which is about to run `worker`.
void count_run(task& server, task& worker) noexcept;

// False: the group has as many servers as it can.
bool add_server(group& in, task& server) noexcept;
void remove_server(task& server) noexcept;

// --- waiting and waking (waiting.cpp) ---

// Waits for a wake. False: the deadline passed first.
bool wait(task& self, deadline until) noexcept;
// Ends the wait of a task, or its next one. False: the id is stale. A worker calls it from library
// code: it puts the other into a queue of the server that it is on.
bool wake(const task_reference& target) noexcept;
// Publishes a worker whose wait the caller, any thread, has just ended.
void publish_woken(task& worker) noexcept;
// wake(next) and wait(self) at once. Both are workers of one group, or neither is a worker.
enum class swap_result : std::uint8_t { done, timed_out, gone, busy };
swap_result swap(task& self, const task_reference& next, deadline until) noexcept;

// Stops the calling worker until unblock(): for operations whose completion is reaped by its own
// server, which cannot happen before the departure has been committed.
inline void block(task& self) noexcept { depart(self, stop::blocked); }

// Arms the deadline of a departing worker, and takes it back.
void arm_deadline(task& worker) noexcept;
void disarm_deadline(task& worker) noexcept;
// Publishes the workers whose deadlines have passed.
void pass_deadlines(group& in) noexcept;

}  // namespace umcg::libumcg
