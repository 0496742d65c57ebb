// SPDX-License-Identifier: MIT
#pragma once

// One state of idle_protocol: where each server, worker and pusher is. Servers are alike, and so
// are workers and pushers: states that differ only in who is who count as one.

#include <algorithm>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>

#include "model/explorer.hpp"

namespace umcg::model {

// Where a server's program is.
enum server_stage : std::uint8_t {
  taking,      // looks through the queues for a worker
  grabbing,    // has seen one and not removed it yet; only where no lock joins the two
  restocking,  // has a worker, and carries others from another queue to its own
  announcing,  // found none: puts itself into the list
  looking,     // through the queues again
  asleep,
  withdrawing,    // takes itself out of the list, if it is still there
  chain_looking,  // through the queues for more work
  sizing,         // has pushed workers, looks how many its own queue holds
  counting,       // looks whether a server is parked
  removing,       // takes one out of the list
  waking,         // ends the sleep of that one
  serving,        // runs a worker
  draining,       // unregisters: gives what its queue holds to the others
  awaiting,       // every summons of it has to be delivered
  gone,
};

// Where a pusher is: any thread or worker that makes another worker idle.
enum pusher_stage : std::uint8_t {
  no_pusher,
  pushing_informed,    // has looked too early, and seen a parked server
  pushing_uninformed,  // has looked too early, and seen none
  pusher_counting,
  pusher_removing,
  pusher_waking,
};

struct idle_state {
  static constexpr int most = 3;
  static constexpr int pushers_most = 6;
  static constexpr std::uint8_t nobody = 0xff;

  struct server {
    std::uint8_t at = taking;
    std::uint8_t seen = 0;         // queues it has looked at, one bit each
    std::uint8_t found = 0;        // workers it has seen in them, where one alone does not count
    std::uint8_t target = nobody;  // the server it wakes, or the worker it grabs
    std::uint8_t summoned = 0;     // and has not looked for more work since
    std::uint8_t parked = 0;       // is in the list
    std::uint8_t uncounted = 0;    // is in the list, and the count does not show it yet
    std::uint8_t wake = 0;         // its sleep, or its next one, ends
    std::uint8_t leaves = 0;       // it unregisters
    auto operator<=>(const server&) const = default;
  };
  struct worker {
    std::uint8_t place = 0;
    std::uint8_t blocks = 0;  // how often it may still block
    auto operator<=>(const worker&) const = default;
  };
  struct pusher {
    std::uint8_t at = no_pusher;
    std::uint8_t target = nobody;  // the server it wakes
    auto operator<=>(const pusher&) const = default;
  };

  static constexpr std::uint8_t byte(int value) { return static_cast<std::uint8_t>(value); }
  static constexpr std::uint8_t bit(int at) { return byte(1 << at); }

  // A worker's place. Queue 0 is the shared one, queue s + 1 belongs to server s.
  static constexpr std::uint8_t away = 0;
  static constexpr std::uint8_t in_queue(int queue) { return byte(1 + queue); }
  static constexpr std::uint8_t carried_by(int s) { return byte(2 + most + s); }
  static constexpr std::uint8_t with(int s) { return byte(2 + 2 * most + s); }

  server servers[most];
  worker workers[most];
  pusher pushers[pushers_most];
  auto operator<=>(const idle_state&) const = default;

  int count(std::uint8_t place) const {
    const auto there = [place](const worker& one) { return one.place == place; };
    return static_cast<int>(std::count_if(std::begin(workers), std::end(workers), there));
  }

  bool has_worker(int s) const { return count(with(s)) != 0; }

  // Whether somebody who looks at the count of parked servers sees one.
  bool shows_parked() const {
    const auto counted = [](const server& one) { return one.parked != 0 && one.uncounted == 0; };
    return std::any_of(std::begin(servers), std::end(servers), counted);
  }

  void unpark(int s) {
    servers[s].parked = 0;
    servers[s].uncounted = 0;
  }
};

// How many of each a scenario uses.
struct population {
  int servers;
  int workers;
  int pushers;
};

// New names for servers: server s is called to[s].
struct renaming {
  int to[idle_state::most];
  population size;

  std::uint8_t place(std::uint8_t old) const {
    for (int s = 0; s < size.servers; ++s) {
      if (old == idle_state::in_queue(s + 1)) return idle_state::in_queue(to[s] + 1);
      if (old == idle_state::carried_by(s)) return idle_state::carried_by(to[s]);
      if (old == idle_state::with(s)) return idle_state::with(to[s]);
    }
    return old;
  }

  std::uint8_t target(std::uint8_t old) const {
    return (old == idle_state::nobody) ? old : idle_state::byte(to[old]);
  }

  std::uint8_t queues(std::uint8_t old) const {
    int queues = old & idle_state::bit(0);
    for (int s = 0; s < size.servers; ++s) {
      if ((old & idle_state::bit(s + 1)) != 0) queues |= idle_state::bit(to[s] + 1);
    }
    return idle_state::byte(queues);
  }

  // With workers and pushers in ascending order.
  idle_state operator()(const idle_state& now) const {
    idle_state next = now;
    for (int s = 0; s < size.servers; ++s) {
      idle_state::server& one = next.servers[to[s]];
      one = now.servers[s];
      one.seen = queues(one.seen);
      one.target = target(one.target);
    }
    for (idle_state::worker& one : next.workers) one.place = place(one.place);
    for (idle_state::pusher& one : next.pushers) one.target = target(one.target);
    sort_few(next.workers, next.workers + size.workers);
    sort_few(next.pushers, next.pushers + size.pushers);
    return next;
  }
};

// What can be said of a server without naming another.
inline std::uint64_t appearance(const idle_state& now, int s) {
  const idle_state::server& one = now.servers[s];
  std::uint64_t digits = one.at;
  const auto add = [&digits](int digit) { digits = digits << 4 | static_cast<unsigned>(digit); };
  add(one.leaves);
  add(one.summoned << 3 | one.parked << 2 | one.uncounted << 1 | one.wake);
  add(one.found);
  add(std::popcount(one.seen));
  add(now.count(idle_state::in_queue(s + 1)));
  add(now.count(idle_state::with(s)));
  return digits;
}

// The smallest of the states that are `now` with its servers renamed so that their appearances
// ascend: the same for all states that differ in names only.
inline idle_state smallest_renamed(const idle_state& now, const population& size) {
  std::uint64_t appearances[idle_state::most] = {};
  int order[idle_state::most] = {};
  for (int s = 0; s < size.servers; ++s) {
    appearances[s] = appearance(now, s);
    order[s] = s;
  }
  int* const end = order + size.servers;
  const auto before = [&](int left, int right) { return appearances[left] < appearances[right]; };
  std::optional<idle_state> smallest;
  do {
    if (!std::is_sorted(order, end, before)) continue;
    renaming names{{}, size};
    for (int s = 0; s < size.servers; ++s) names.to[order[s]] = s;
    const idle_state next = names(now);
    if (!smallest || next < *smallest) smallest = next;
  } while (std::next_permutation(order, end));
  return *smallest;
}

}  // namespace umcg::model
