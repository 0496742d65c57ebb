// SPDX-License-Identifier: MIT
#pragma once

// A group: the servers and workers that can meet, its idle workers list and its parked servers. And
// what a server has beyond any other task.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/short_lock.hpp"
#include "base/timer_wheel.hpp"
#include "libumcg/counters_state.hpp"
#include "libumcg/half.hpp"
#include "libumcg/idle_servers.hpp"
#include "libumcg/idle_workers.hpp"
#include "libumcg/task.hpp"

namespace umcg::libumcg {

// How a server sleeps while there is no idle worker. Without one of its own it sleeps in its half.
class parking {
 public:
  virtual ~parking() = default;
  // Sleeps until unpark(), something of its own (a completed operation) or the deadline; may return
  // early.
  virtual void park(deadline until) noexcept = 0;
  // Called after the sleep, when the server is no longer announced as parked: publishes what has
  // become idle.
  virtual void collect() noexcept = 0;
  // Ends the sleep of, or the next sleep of, its server. Any thread.
  virtual void unpark() noexcept = 0;
};

struct server_part {
  idle_workers queue;             // own lock; others take from it when they have nothing
  idle_workers preempted;         // likewise: what was preempted here, if `defers_preempted`
  parking* sleep = nullptr;       // fixed while registered
  bool takes_own_first = false;   // fixed while registered: what it pushes itself, it takes next
  bool defers_preempted = false;  // likewise: it takes preempted workers apart
  // Its carrier only: how many more workers may follow each other without the server.
  std::uint32_t direct_runs = 0;
  std::uint32_t steal_from = 0;  // its carrier only: where it looks first
  bool was_parked = false;       // its carrier only: it has taken no worker since
  bool was_summoned = false;     // its carrier only: and somebody summoned it
  std::uint32_t summonses = 0;   // its carrier only: how often it was taken out while parked
  std::atomic<std::uint32_t> delivered{0};  // by the summoners: how many of these have been sent
  server_counters counts;                   // its carrier writes
  // Its carrier writes: it sleeps, none of its own operations is under way, and nothing is known
  // that could wake it. For diagnosis.
  std::atomic<bool> rests{false};
};

constexpr std::size_t servers_max = 256;

struct group {
  group(bool with_preemption, half& group_half) : preemptible(with_preemption), plug(&group_half) {
    shared.belong_to(this);
  }
  ~group() {
    // A few instructions of a thread that has woken the group's last worker.
    while (visitors.load() != 0) base::give_way();
  }
  group(const group&) = delete;
  group& operator=(const group&) = delete;

  const bool preemptible;
  half* const plug;
  // How long a worker may compute while others wait; 0: for ever. Fixed before the first server.
  std::chrono::nanoseconds quantum{0};
  idle_workers shared;  // for wakes from outside the group's servers
  idle_servers parked;
  std::array<std::atomic<task*>, servers_max> servers{};
  std::atomic<std::uint32_t> servers_end{0};  // slots of `servers` ever used
  std::atomic<std::int64_t> members{0};
  // Threads that are none of the group's and are publishing one of its workers: the worker may run
  // to its end, and with it the group, before they are through (tests/model/group_end_model).
  std::atomic<std::uint32_t> visitors{0};

  // Somebody who is none of the group's has woken a worker that waited: for diagnosis.
  std::atomic<bool> woken_from_outside{false};

  // Deadlines of workers in umcg_wait and umcg_swap.
  base::short_lock timers_lock;
  base::timer_wheel timers UMCG_GUARDED_BY(timers_lock){deadline::clock::now()};
  // The next expiry, in nanoseconds on the steady clock; the largest value when there is none.
  std::atomic<std::int64_t> next_timer{INT64_MAX};
  // The parked server that sleeps until then; idle_servers.hpp says how that is passed on.
  std::atomic<task*> timekeeper{nullptr};
};

}  // namespace umcg::libumcg
