// SPDX-License-Identifier: MIT
// How a worker leaves its carrier. It says why, and continues somebody else; that one, now running
// on the carrier, completes the departure: only then are the worker's registers saved and may
// anybody run it.
#include <cerrno>
#include <utility>

#include "libumcg/scheduling.hpp"
#include "libumcg/wait_note.hpp"

namespace umcg::libumcg {

namespace {

// Who goes on where a worker of `server` stops. The next worker follows directly on the same
// carrier, without a detour through the server's context: half the switches. Only while the server
// allows it, so that it gets its turn for completions.
task& successor(task& server) noexcept {
  server_part& serving = *server.serving;
  if (serving.direct_runs == 0) return server;
  task* worker = serving.queue.take();
  if (worker == nullptr) return server;
  --serving.direct_runs;
  // Another worker may have swapped to it meanwhile.
  if (!worker->state.run_held()) return server;
  worker->server = &server;
  count_run(server, *worker);
  return *worker;
}

void count_departure(const task& self, stop why) noexcept {
  server_counters& counts = self.server->serving->counts;
  switch (why) {
    case stop::blocked:
    case stop::waited:
    case stop::swapped:
      counts.count_block(self.waits_for != nullptr ? self.waits_for->reason : wait_reason::other);
      break;
    case stop::preempted:
      counts.count_preemption();
      break;
    default:
      break;
  }
}

void end_of(task& worker) noexcept {
  worker.state.end();
  if (worker.exited != nullptr) {
    worker.exited(worker);
  } else {
    worker.plug.load()->go_home(worker);
  }
}

}  // namespace

void commit(task* departed) noexcept {
  if (departed == nullptr) return;
  switch (departed->why) {
    case stop::blocked:
      if (departed->state.block_or_list()) publish(*departed);
      break;
    case stop::waited:
    case stop::swapped:
      if (!departed->wait_until.is_never()) arm_deadline(*departed);
      if (departed->state.wait_or_list()) publish(*departed);
      break;
    case stop::preempted:
      departed->state.yield();
      publish_preempted(*departed);
      break;
    case stop::yielded:
      departed->state.yield();
      publish(*departed);
      break;
    case stop::exited:
    case stop::unregistered:
      end_of(*departed);
      break;
    case stop::none:
      UMCG_ASSERT(false && "a worker departed without a reason");
  }
}

void depart(task& self, stop why) noexcept {
  UMCG_ASSERT(self.blocking == 0);
  self.why = why;
  count_departure(self, why);
  commit(self.plug.load()->switch_to(self, successor(*self.server), &self));
}

void leave_server(task& self) noexcept {
  if (self.blocking != 0) {
    ++self.blocking;
    return;
  }
  begin_library_code(self);
  self.why = stop::blocked;
  task& server = *std::exchange(self.server, nullptr);
  self.region_since = coarse_now();
  if (self.plug.load()->leave(self, server)) {
    self.blocking = 1;
    return;
  }
  self.server = &server;
  end_library_code(self);
  honour_preempt_request();
}

void return_to_servers(task& self) noexcept {
  if (self.blocking == 0 || --self.blocking != 0) return;
  commit(self.plug.load()->come_back(self));
  end_library_code(self);
  honour_preempt_request();
}

void end_blocking(task& self) noexcept {
  if (self.blocking == 0) return;
  self.blocking = 1;
  return_to_servers(self);
}

void returned(task& worker) noexcept {
  if (worker.state.come_back()) publish(worker);
}

bool take_server(task& worker, std::uint64_t token, handoff_cause cause) noexcept {
  if (!worker.claim.take(token)) return false;
  worker.why = stop::blocked;
  worker.region_since = coarse_now();
  worker.server->serving->counts.count_handoff(cause);
  return true;
}

void settle_claim(task& self) noexcept {
  if (self.claim.keep()) return;
  task* const departed = self.plug.load()->come_back(self);
  self.claim.renew();
  commit(departed);
}

void preempt_guard::leave() noexcept {
  end_library_code(*self_);
  if (self_->kind == task_kind::worker) honour_preempt_request();
}

void honour_recall() noexcept {
  task* const self = current_task;
  if (self == nullptr || self->kind != task_kind::worker) return;
  if (self->preempt_off.depth() != 0 || !self->claim.is_taken()) return;
  if (self->in.load()->quantum.count() == 0) return;
  begin_library_code(*self);
  end_library_code(*self);
}

bool honour_preempt_request() noexcept {
  task* self = current_task;
  if (self == nullptr || self->kind != task_kind::worker) return false;
  if (self->preempt_off.depth() != 0) return true;  // the guard looks when it ends
  if (self->preemptible.load()) preempt_depth::see_requests();
  bool honoured = false;
  // A signal that comes while preemption is off does nothing, so whoever turns it on again has to
  // look again.
  while ((self->state.look() & task_state::preempt_requested) != 0) {
    begin_library_code(*self);
    if (self->state.take_preempt_request()) {
      const int saved_errno = errno;
      depart(*self, stop::preempted);
      errno = saved_errno;
      honoured = true;
    }
    end_library_code(*self);
  }
  return honoured;
}

}  // namespace umcg::libumcg
