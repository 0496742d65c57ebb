// SPDX-License-Identifier: MIT
#include "kernel/usermode/watch.hpp"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include <array>
#include <new>
#include <utility>

#include <climits>

#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "kernel/usermode/affinity.hpp"
#include "kernel/usermode/recalls.hpp"
#include "kernel/usermode/spares.hpp"
#include "libumcg/group.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::kernel::usermode {

using libumcg::task;

namespace {

constexpr std::size_t watches_most = 1024;

// Only grows; an ended server's watch is another's later.
struct registry {
  enum : std::uint32_t { not_asked, is_asked, can, cannot };
  std::array<std::atomic<watch*>, watches_most> all{};
  std::atomic<std::uint32_t> answer{not_asked};  // whether there can be watchers
};
constinit registry watches;

enum class watchers : std::uint8_t { none, monitor, doorbells };
std::atomic<watchers> in_use{watchers::doorbells};
std::atomic<std::int64_t> tick_ns{1'000'000};

std::int64_t quantum_of(const task& server) noexcept { return server.in.load()->quantum.count(); }

// One that is nobody's any more, or a new one.
watch* take_watch(task& server) noexcept {
  watch* made = nullptr;
  for (std::atomic<watch*>& place : watches.all) {
    watch* found = place.load();
    if (found == nullptr) {
      if (made == nullptr) made = new (std::nothrow) watch;
      if (made == nullptr || place.compare_exchange_strong(found, made)) {
        found = std::exchange(made, nullptr);
        if (found == nullptr) return nullptr;
      }
    }
    task* nobody = nullptr;
    if (!found->server.compare_exchange_strong(nobody, &server)) continue;
    delete made;
    return found;
  }
  delete made;
  return nullptr;
}

// Every thread of this process has passed a full barrier when it returns. False: the monitor has
// not registered for that, or cannot.
bool barrier_on_all_threads() noexcept {
  return base::raw_syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

// The machine is asked once, and what watching needs is made. Who comes meanwhile waits.
bool can_look() noexcept {
  std::uint32_t answer = registry::not_asked;
  if (watches.answer.compare_exchange_strong(answer, registry::is_asked)) {
    const bool can = thread_status::works() && watches_forks() && start_maker() && start_monitor();
    answer = can ? registry::can : registry::cannot;
    watches.answer.store(answer);
    base::futex_wake(watches.answer, INT_MAX);
  }
  while (answer == registry::is_asked) {
    base::futex_wait(watches.answer, registry::is_asked);
    answer = watches.answer.load();
  }
  return answer == registry::can;
}

// A worker that is to lose its server, with the proof of it.
struct suspect {
  task* server;
  watch* seen_by;
  task* worker;
  carrier* on;
  std::uint64_t switches;  // of the carrier, when the worker was seen there
  std::uint64_t token;
};

// Whether all is as it was when the worker was doubted: it is on that carrier and outside the
// library, and that carrier has its server. Read after the carrier was seen asleep, or has passed a
// barrier. The depth comes first: the worker may go elsewhere meanwhile, but not without a switch.
bool still_there(const suspect& who) noexcept {
  return who.worker->preempt_off.is_outside() &&
         who.worker->state.place() == libumcg::task_state::running &&
         who.on->hosts.get() == who.worker && who.on->hosts.switches() == who.switches &&
         who.on->hosts.watched() == who.seen_by && who.seen_by->server.load() == who.server;
}

handoff_cause cause_of(const thread_sample& seen) noexcept {
  if (seen.what != thread_sample::state::sleeping) return handoff_cause::quantum;
  return seen.system_call < 0 ? handoff_cause::page_fault : handoff_cause::system_call;
}

// That of the server itself, or one that nobody else needs now. Not from the reserve: the caller
// may be the doorbell, which must not hold a lock.
finding call_spare(const suspect& who, handoff_cause cause, bool anywhere) noexcept {
  watch& at = *who.seen_by;
  carrier* spare = take_standby(at);
  if (spare == nullptr) spare = take_standby_of_parked();
  if (spare == nullptr) {
    who.worker->claim.trust(who.token);
    return finding::no_spare;
  }
  if (anywhere) {
    let_run_as(*spare, at);
  } else {
    // The caller is the doorbell, where the server's carrier has just fallen asleep.
    bind_to_cpu(*spare, ::sched_getcpu());
  }
  spare->next = who.server;
  spare->departed = who.worker;
  spare->token = who.token;
  spare->cause = cause;
  call(*spare);
  return finding::handed_off;
}

void release_standby(watch& at) noexcept {
  if (carrier* const kept = take_standby(at)) put_to_rest(*kept);
}

}  // namespace

look_result look(watch& at, insistence insists) noexcept {
  task* const server = at.server.load();
  if (server == nullptr || at.is_parked.load()) return {finding::nobody, nullptr, {}};
  carrier* const on = at.on.load();
  const std::uint64_t switches = on->hosts.switches();
  task* const worker = on->hosts.get();
  const look_result nothing{finding::at_work, nullptr, {}};
  if (worker == nullptr || worker == server || !worker->preempt_off.is_outside()) return nothing;
  // The server is on its way home, and the carrier that it has left hosts another's worker, whose
  // claim is that one's watchers' alone.
  if (on->hosts.watched() != &at) return nothing;
  suspect who{server, &at, worker, on, switches, 0};
  who.token = insists <= insistence::monitor ? worker->claim.doubt() : worker->claim.doubt_anew();
  if (who.token == 0) return {finding::computing, nullptr, {}};
  const thread_sample seen = on->status.look();
  const bool asleep = seen.what == thread_sample::state::sleeping;
  const bool stands_still = asleep || (insists == insistence::on_all && barrier_on_all_threads());
  if (!stands_still || !still_there(who)) {
    worker->claim.trust(who.token);
    const bool known = seen.what != thread_sample::state::not_known;
    return {known ? finding::computing : finding::not_known, worker, seen};
  }
  return {call_spare(who, cause_of(seen), insists != insistence::doorbell), worker, seen,
          who.token};
}

watch* watch_number(std::size_t number) noexcept {
  return number < watches_most ? watches.all[number].load() : nullptr;
}

std::string configure_watching(const hand_off_options& options) {
  limit_spares(options.carriers_max);
  tick_ns.store(std::chrono::nanoseconds(options.tick).count());
  const bool can_see = thread_status::works();
  const bool can_follow = __rseq_size != 0;
  in_use.store(options.watch == "off" || !can_see          ? watchers::none
               : options.watch == "monitor" || !can_follow ? watchers::monitor
                                                           : watchers::doorbells);
  switch (in_use.load()) {
    case watchers::doorbells:
      return "hand-off by doorbell and monitor";
    case watchers::monitor:
      return options.watch == "monitor" ? "hand-off by monitor, as asked for"
                                        : "hand-off by monitor: no doorbell without rseq";
    default:
      return options.watch == "off"
                 ? "hand-off in blocking regions only, as asked for"
                 : "hand-off in blocking regions only: /proc/self/task is not to be read";
  }
}

bool uses_doorbells() noexcept { return in_use.load() == watchers::doorbells; }

std::chrono::nanoseconds watch_tick() noexcept { return std::chrono::nanoseconds(tick_ns.load()); }

watch* begin_watch(task& server) noexcept {
  if (in_use.load() == watchers::none || !can_look()) return nullptr;
  watch* const made = take_watch(server);
  if (made == nullptr) return nullptr;
  made->quantum_ns.store(quantum_of(server));
  made->blocks_often.store(false);
  carrier* const home = of(server).home;
  made->home.store(home);
  // After that: who sees the number sees the home.
  static constinit std::atomic<std::uint64_t> watches_begun{0};
  made->number.store(++watches_begun);
  made->on.store(home);
  home->hosts.adopt(&server, made);
  note_unpark(*made);
  make_more();
  return made;
}

void end_watch(watch& over) noexcept {
  over.is_parked.store(true);
  over.server.store(nullptr);
  base::set_and_wake(over.armed);  // its doorbell ends
  release_standby(over);
}

void note_park(watch& of) noexcept {
  of.parks.store(of.parks.load() + 1);
  of.is_parked.store(true);
}

void note_unpark(watch& of) noexcept {
  of.is_parked.store(false);
  if (monitor.rouse()) wake_monitor();
  if (of.blocks_often.load()) arm(of);
}

carrier* take_standby(watch& at) noexcept { return at.standby.exchange(nullptr); }

carrier* take_standby_of_parked() noexcept {
  for (std::atomic<watch*>& place : watches.all) {
    watch* const each = place.load();
    if (each == nullptr) return nullptr;
    if (!each->is_parked.load()) continue;
    if (carrier* const kept = take_standby(*each)) return kept;
  }
  return nullptr;
}

void keep_standby(watch& at, int cpu) noexcept {
  carrier* spare = at.standby.load();
  if (spare != nullptr) {
    if (spare->bound_to.load() == cpu || cpu < 0) return;
    // The server has moved, and the spare moves with it.
    if (!at.standby.compare_exchange_strong(spare, nullptr)) return;
  } else {
    spare = at.server.load() != nullptr ? take_ready_spare() : nullptr;
  }
  if (spare == nullptr) return;
  bind_to_cpu(*spare, cpu);
  carrier* none = nullptr;
  if (!at.standby.compare_exchange_strong(none, spare)) return put_to_rest(*spare);
  // Its end looks for a spare behind the server's: one of the two finds this one.
  if (at.server.load() == nullptr) release_standby(at);
}

void forget_watches() noexcept {
  auto* fresh = new (&watches) registry;
  static_cast<void>(fresh);
  monitor.stay_awake();
  forget_called();
  forget_recalls();
}

}  // namespace umcg::kernel::usermode
