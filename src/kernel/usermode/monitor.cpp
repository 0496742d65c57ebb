// SPDX-License-Identifier: MIT
// The monitor: one thread that looks at every server once in a tick while one of them is not
// parked, and sleeps otherwise. A worker that has kept its server for a whole tick is looked at: if
// it blocks, it loses the server; if it computes for longer than its quantum, it is asked to yield,
// and loses the server if it does not. Those that have lost theirs are recalled (recalls.hpp).
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include <array>
#include <chrono>

#include "base/detached_thread.hpp"
#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "kernel/usermode/affinity.hpp"
#include "kernel/usermode/pending_signal.hpp"
#include "kernel/usermode/recalls.hpp"
#include "kernel/usermode/spares.hpp"
#include "kernel/usermode/watch.hpp"
#include "kernel/usermode/watch_log.hpp"
#include "libumcg/preemption.hpp"

namespace umcg::kernel::usermode {

using libumcg::task;
using clock = deadline::clock;

constinit monitor_state monitor;

namespace {

constexpr std::size_t stack_bytes = std::size_t{64} << 10;
// So many ticks without a server that is not parked, and the monitor sleeps.
constexpr int idle_ticks_most = 20;
// So long after something has blocked, a server's doorbell is armed whenever it goes on.
constexpr clock::duration often = std::chrono::seconds(1);

// In one tick of so many it looks, by a system call, where a server is that has a bound spare.
constexpr unsigned ticks_between_moves = 8;

// What was seen of a server the last time.
struct observation {
  const task* worker = nullptr;
  carrier* on = nullptr;
  std::uint64_t switches = 0;
  clock::time_point since;   // so long it has been the same run
  bool was_asked = false;    // it is to yield
  std::uint64_t called = 0;  // a spare is, with this token; 0: none
  std::uint32_t parks = 0;
  clock::time_point blocked_last;
};

class round_of_looks {
 public:
  // Whether a server is not parked, or a worker computes that has lost its server.
  bool look_at_all() {
    move_called();
    ++ticks_;
    const clock::time_point now = clock::now();
    bool busy = false;
    for (std::size_t at = 0;; ++at) {
      watch* const each = watch_number(at);
      if (each == nullptr) break;
      if (each->server.load() == nullptr || each->is_parked.load()) continue;
      busy = true;
      look_at(*each, seen_[at], now);
    }
    return recall_who_computes(now) || busy;
  }

 private:
  static constexpr std::size_t watches_most = 1024;

  void look_at(watch& at, observation& last, clock::time_point now) {
    const bool was_busy = has_not_parked(at, last);
    if (now - last.blocked_last > often) at.blocks_often.store(false);
    const task* const server = at.server.load();
    carrier* const on = at.on.load();
    const task* const worker = on->hosts.get();
    if (worker == nullptr || worker == server || on->hosts.watched() != &at) {
      last.worker = nullptr;
      return;
    }
    if (!on->status.is_open()) on->status.open(on->kernel_thread);
    if (ticks_ % ticks_between_moves == 0 || !has_bound_standby(at)) {
      keep_standby(at, cpu_of(*on));
    }
    if (was_busy && at.standby.load() != nullptr) arm(at);
    const std::uint64_t switches = on->hosts.switches();
    if (worker != last.worker || on != last.on || switches != last.switches) {
      last.worker = worker;
      last.on = on;
      last.switches = switches;
      last.since = now;
      last.was_asked = false;
      last.called = 0;
      return;
    }
    if (awaits_spare(last, now)) return;
    judge(at, last, now);
  }

  static bool has_bound_standby(const watch& at) noexcept {
    const carrier* const spare = at.standby.load();
    return spare != nullptr && spare->bound_to.load() >= 0;
  }

  // One that was called may wait for a CPU for long, and another look would make its token void.
  static bool awaits_spare(observation& last, clock::time_point now) {
    if (last.called == 0) return false;
    if (last.worker->claim.is_doubted_by(last.called)) return true;
    last.called = 0;
    last.since = now;
    return false;
  }

  // The worker has kept its server for a tick.
  void judge(watch& at, observation& last, clock::time_point now) {
    const clock::duration quantum = std::chrono::nanoseconds(at.quantum_ns.load());
    const bool too_long = quantum.count() != 0 && now - last.since >= quantum;
    const bool defies = too_long && last.was_asked && now - last.since >= 2 * quantum;
    const bool doorbell_had_time = now - last.since >= 2 * watch_tick();
    const look_result saw = look(at, defies              ? insistence::on_all
                                     : doorbell_had_time ? insistence::on_sleep
                                                         : insistence::monitor);
    switch (saw.found) {
      case finding::handed_off:
        last.called = saw.token;
        last.blocked_last = now;
        at.blocks_often.store(true);
        return;
      case finding::no_spare:
        report_if_none_is_left(saw, now - last.since);
        if (too_long && saw.sample.what == thread_sample::state::running) ask(last);
        return;
      case finding::not_known:
        last.was_asked = true;  // a signal could end its system call early
        return;
      default:
        break;
    }
    if (too_long && saw.found == finding::computing) ask(last);
  }

  // Again when that was in vain: a worker that is inside the C library goes on there until the next
  // time.
  static void ask(observation& last) noexcept {
    last.was_asked = true;
    const libumcg::task_reference worker = libumcg::refer_to(const_cast<task&>(*last.worker));
    const bool may_send = may_signal(*last.on);
    const auto how = may_send ? libumcg::asking::again : libumcg::asking::silently;
    if (libumcg::preempt(worker, how) == 0 && may_send) note_signal(*last.on);
  }

  // For a tick: then its doorbell is worth the system call that arms it.
  static bool has_not_parked(const watch& at, observation& last) {
    const std::uint32_t before = last.parks;
    last.parks = at.parks.load();
    return last.parks == before;
  }

  std::array<observation, watches_most> seen_{};
  unsigned ticks_ = 0;
};

bool any_busy() noexcept {
  for (std::size_t at = 0;; ++at) {
    const watch* const each = watch_number(at);
    if (each == nullptr) return false;
    if (each->server.load() != nullptr && !each->is_parked.load()) return true;
  }
}

// Until a server goes on.
void sleep_while_parked() noexcept {
  monitor.fall_asleep();
  if (any_busy()) return monitor.stay_awake();
  while (monitor.sleeps()) base::futex_wait(monitor.word(), monitor_state::asleep);
}

void* monitor_main(void* /*unused*/) {
  base::name_this_thread("umcg-monitor");
  static round_of_looks looks;
  // Takes many milliseconds, so nobody else shall wait for it.
  base::raw_syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
  std::atomic<std::uint32_t> never_set{0};
  for (int idle_ticks = 0;;) {
    base::futex_wait(never_set, 0, deadline::after(watch_tick()));
    idle_ticks = looks.look_at_all() ? 0 : idle_ticks + 1;
    if (idle_ticks < idle_ticks_most) continue;
    sleep_while_parked();
    idle_ticks = 0;
  }
}

}  // namespace

bool start_monitor() noexcept {
  return base::start_detached_thread(stack_bytes, monitor_main, nullptr) == 0;
}

void wake_monitor() noexcept { base::futex_wake(monitor.word()); }

}  // namespace umcg::kernel::usermode
