// SPDX-License-Identifier: MIT
// The idle workers list and the servers that look for work in it. idle_workers.hpp and
// idle_servers.hpp say why no worker is left waiting beside a parked server.
#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::libumcg {

namespace {

// How many workers move from one queue to another at once.
constexpr std::size_t batch_max = 32;

// The server of `in` on whose carrier the caller runs; null on other threads. A worker has to be in
// library code: outside it may lose its server at any moment.
task* server_here(const group& in) noexcept {
  task* self = current_task;
  if (self == nullptr || self->in != &in) return nullptr;
  if (self->kind == task_kind::server) return self;
  UMCG_ASSERT(self->server == nullptr || !self->preempt_off.is_outside());
  return self->server;
}

using queue_of_server = idle_workers server_part::*;

bool any_worker_in(const group& in, queue_of_server which) noexcept {
  const std::uint32_t end = in.servers_end.load();
  for (std::uint32_t at = 0; at < end; ++at) {
    const task* server = in.servers[at].load();
    if (server != nullptr && !(server->serving->*which).empty()) return true;
  }
  return false;
}

bool any_idle_worker(const group& in) noexcept {
  return !in.shared.empty() || any_worker_in(in, &server_part::queue) ||
         any_worker_in(in, &server_part::preempted);
}

// Half of another server's queue, into ours; the first of it, held.
task* steal(task& server, queue_of_server which) noexcept {
  group& in = *server.in;
  server_part& serving = *server.serving;
  const std::uint32_t end = in.servers_end.load();
  for (std::uint32_t tries = 0; tries < end; ++tries) {
    serving.steal_from = (serving.steal_from + 1) % end;
    task* victim = in.servers[serving.steal_from].load();
    if (victim == nullptr || victim == &server) continue;
    task_chain taken = (victim->serving->*which).take_half(batch_max, &in);
    task* first = taken.pop();
    if (first == nullptr) continue;
    UMCG_ASSERT(first->state.hold());
    if (!taken.empty()) {
      // Nobody saw these while they were on their way: a server may have parked meanwhile.
      (serving.*which).push_all(taken);
      summon_one(in);
    }
    return first;
  }
  return nullptr;
}

// A server that was parked will not park again at once: what it does for those that still are.
// Whoever pushed several workers summoned one server only, so if there are more, the next shall
// know. And if nobody keeps the time, it was the timekeeper or was to become that: another has to.
void leave_parking_place(task& server) noexcept {
  server_part& serving = *server.serving;
  if (!serving.was_parked) return;
  group& in = *server.in;
  const bool more_work = std::exchange(serving.was_summoned, false) && any_idle_worker(in);
  const bool time_is_unkept = in.next_timer.load() != INT64_MAX && in.timekeeper.load() == nullptr;
  serving.was_parked = false;
  if (more_work || time_is_unkept) summon_one(in);
}

bool claim_timekeeping(task& server) noexcept {
  task* nobody = nullptr;
  return server.in.load()->timekeeper.compare_exchange_strong(nobody, &server);
}

// Ends the sleep of a server that the caller has taken out of the list.
void summon(task& server) noexcept {
  server_part& serving = *server.serving;
  if (serving.sleep != nullptr) {
    serving.sleep->unpark();
  } else {
    server.plug.load()->rouse(server);
  }
  serving.delivered.fetch_add(1);
}

std::int64_t exact_now() noexcept { return deadline::clock::now().time_since_epoch().count(); }

// The caller owns the worker, which is about to get in line.
void mark_listed(task& worker, std::int64_t now) noexcept {
  worker.listed_at = now;
  worker.delay_sampled = true;
}

}  // namespace

void count_run(task& server, task& worker) noexcept {
  server_counters& counts = server.serving->counts;
  counts.count_switch();
  if (!worker.delay_sampled) [[likely]]
    return;
  worker.delay_sampled = false;
  counts.count_run_delay(std::chrono::nanoseconds(exact_now() - worker.listed_at));
}

void summon_one(group& in) noexcept {
  if (task* server = in.parked.take_one()) summon(*server);
}

void tell_timekeeper(group& in) noexcept {
  task* keeper = in.timekeeper.load();
  if (keeper == nullptr) return summon_one(in);
  // Who is not in the list is about to look at the deadlines by itself.
  if (in.parked.withdraw(*keeper)) summon(*keeper);
}

void publish(task& worker) noexcept {
  group& in = *worker.in;
  task* here = server_here(in);
  if (here == nullptr) {
    mark_listed(worker, exact_now());
    in.visitors.fetch_add(1);
    in.shared.push(worker);
    summon_one(in);
    in.visitors.fetch_sub(1);
    return;
  }
  if (here->serving->counts.samples()) mark_listed(worker, exact_now());
  here->serving->queue.push(worker);
  // A server that pushes its only worker runs it next; anybody else keeps the carrier for a while
  // yet.
  const server_part& serving = *here->serving;
  const bool taken_next =
      current_task == here && serving.takes_own_first && serving.queue.size() == 1;
  if (!taken_next) summon_one(in);
}

void publish_preempted(task& worker) noexcept {
  group& in = *worker.in;
  task* here = server_here(in);
  if (here == nullptr || !here->serving->defers_preempted) return publish(worker);
  here->serving->preempted.push(worker);
  summon_one(in);
}

void publish_here(task& server, task_chain& workers) noexcept {
  if (workers.empty()) return;
  if (server.serving->counts.samples()) {
    const std::int64_t now = exact_now();
    for (task* each = workers.first; each != nullptr; each = each->next) mark_listed(*each, now);
  }
  idle_workers& queue = server.serving->queue;
  queue.push_all(workers);
  if (queue.size() > 1) summon_one(*server.in);
}

task* take_idle_worker(task& server) noexcept {
  group& in = *server.in;
  pass_deadlines(in);
  idle_workers& queue = server.serving->queue;
  // What came from outside gets in line behind what is here already: neither can starve the other.
  if (!in.shared.empty()) {
    task_chain arrived = in.shared.take_half(batch_max, &in);
    if (!arrived.empty()) {
      queue.push_all(arrived);
      if (queue.size() > 1) summon_one(in);
    }
  }
  task* worker = queue.take();
  if (worker == nullptr) worker = steal(server, &server_part::queue);
  if (worker != nullptr) leave_parking_place(server);
  return worker;
}

bool any_preempted_worker(const group& in) noexcept {
  return any_worker_in(in, &server_part::preempted);
}

task* take_preempted_worker(task& server) noexcept {
  task* worker = server.serving->preempted.take();
  if (worker == nullptr) worker = steal(server, &server_part::preempted);
  if (worker != nullptr) leave_parking_place(server);
  return worker;
}

void give_up_parking(task& server) noexcept { leave_parking_place(server); }

void park(task& server, deadline until) noexcept {
  group& in = *server.in;
  bool keeps_time = claim_timekeeping(server);
  in.parked.announce(server, keeps_time);
  // Who held the office may have left it meanwhile and found nobody in the list to tell.
  if (!keeps_time) keeps_time = claim_timekeeping(server);
  if (!any_idle_worker(in)) {
    const deadline timer{
        deadline::clock::time_point(std::chrono::nanoseconds(in.next_timer.load()))};
    const deadline end = keeps_time ? std::min(until, timer) : until;
    if (server.serving->sleep != nullptr) {
      server.plug.load()->note_park(server);
      server.serving->sleep->park(end);
      server.plug.load()->note_unpark(server);
    } else {
      server.plug.load()->sleep(server, end);
    }
  }
  server_part& serving = *server.serving;
  serving.was_parked = true;
  if (!in.parked.withdraw(server)) {
    serving.was_summoned = true;
    ++serving.summonses;
  }
  if (keeps_time) in.timekeeper.store(nullptr);
  if (serving.sleep != nullptr) serving.sleep->collect();
}

run_result run(task& server, task& worker) noexcept {
  worker.server = &server;
  count_run(server, worker);
  server.state.attach();
  task* departed = server.plug.load()->switch_to(server, worker, nullptr);
  server.state.detach();
  UMCG_ASSERT(departed != nullptr);
  if (departed->server == nullptr) {
    // It goes on by itself, in a blocking region.
    server.serving->counts.count_block(wait_reason::blocking_region);
    server.serving->counts.count_handoff(handoff_cause::blocking_region);
  }
  // Read before the commit: after it the worker belongs to others.
  const run_result result{departed, departed->generation.load(), departed->why,
                          departed->claim.is_taken()};
  commit(departed);
  return result;
}

bool add_server(group& in, task& server) noexcept {
  server.serving->queue.belong_to(&in);
  server.serving->preempted.belong_to(&in);
  for (std::uint32_t at = 0; at < servers_max; ++at) {
    task* empty = nullptr;
    if (!in.servers[at].compare_exchange_strong(empty, &server)) continue;
    std::uint32_t end = in.servers_end.load();
    while (end < at + 1 && !in.servers_end.compare_exchange_weak(end, at + 1)) {
    }
    return true;
  }
  server.serving->queue.belong_to(nullptr);
  server.serving->preempted.belong_to(nullptr);
  return false;
}

void remove_server(task& server) noexcept {
  group& in = *server.in;
  give_up_parking(server);
  for (std::uint32_t at = 0; at < in.servers_end.load(); ++at) {
    task* expected = &server;
    if (in.servers[at].compare_exchange_strong(expected, nullptr)) break;
  }
  // What it had not run yet is for the others.
  for (idle_workers* each : {&server.serving->queue, &server.serving->preempted}) {
    for (;;) {
      task_chain rest = each->take_half(SIZE_MAX, &in);
      if (rest.empty()) break;
      in.shared.push_all(rest);
      summon_one(in);
    }
    each->belong_to(nullptr);
  }
  // A summoner may be between taking the server out and ending its sleep, which it may do no longer
  // once the server is gone.
  while (server.serving->delivered.load() != server.serving->summonses) base::give_way();
}

}  // namespace umcg::libumcg
