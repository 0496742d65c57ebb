// SPDX-License-Identifier: MIT
#pragma once

// What idle_protocol is made of: the rules and the scenario that are explored, what the world does
// by itself (workers stop, reactors push), and questions about a state.

#include <algorithm>
#include <bit>
#include <cstdint>

#include "model/explorer.hpp"
#include "model/idle_rules.hpp"
#include "model/idle_state.hpp"

namespace umcg::model {

class idle_scene {
 public:
  using state = idle_state;

  idle_scene(const protocol& rules, const scenario& here)
      : rules_(rules),
        here_(here),
        size_{here.servers, here.workers,
              std::min(state::pushers_most, here.workers * (1 + here.blocks))},
        all_queues_(state::byte(state::bit(here.servers + 1) - 1)) {}

 protected:
  struct deed {
    const char* action;
    int object = -1;
    bool promised = true;
  };

  // Its worker stops. Whoever goes on is the server, or the next of the server's queue.
  template <class Goes>
  void let_stop(const state& now, int s, const Goes& goes) const {
    for (int w = 0; w < here_.workers; ++w) {
      if (now.workers[w].place != state::with(s) || now.workers[w].blocks == 0) continue;
      goes({"has its worker block", -1, false},
           [&](state& next, auto&) { stop(next, s, w, state::away); });
      if (here_.yields) {
        goes({"has its worker yield", -1, false},
             [&](state& next, auto&) { stop(next, s, w, state::in_queue(s + 1)); });
      }
      for (int other = 0; here_.successors && other < here_.workers; ++other) {
        if (now.workers[other].place != state::in_queue(s + 1)) continue;
        goes({"has the next of its queue follow one that blocks", -1, false},
             [&](state& next, auto&) { follow(next, s, w, other, state::away); });
        if (!here_.yields) continue;
        goes({"has the next of its queue follow one that yields", -1, false},
             [&](state& next, auto&) { follow(next, s, w, other, state::carried_by(s)); });
      }
    }
  }

  // The server commits, with publish(): it takes next what it pushes.
  static void stop(state& next, int s, int w, std::uint8_t place) {
    state::server& me = next.servers[s];
    next.workers[w].place = place;
    --next.workers[w].blocks;
    me.at = place == state::away ? taking : sizing;
    me.summoned = 0;
  }

  // The successor commits, and whoever pushes from a worker summons.
  static void follow(state& next, int s, int w, int other, std::uint8_t place) {
    next.workers[other].place = state::with(s);
    next.workers[w].place = place;
    --next.workers[w].blocks;
    if (place != state::away) next.servers[s].at = restocking;
  }

  // Whether others see the queue: that of a server that unregisters is taken off the group first.
  bool open(const state& now, int queue) const {
    return queue == 0 || now.servers[queue - 1].leaves == 0;
  }

  bool summons_on_the_way(const state& now, int s) const {
    const auto targets = [s](const auto& one) { return one.target == s; };
    return std::any_of(std::begin(now.pushers), std::end(now.pushers), targets) ||
           std::any_of(std::begin(now.servers), std::end(now.servers), targets);
  }

  template <class Goes>
  void push_batches(const state& now, int s, const Goes& goes) const {
    for_each_set(now, state::away, [&](unsigned set) {
      if (set == 0) return;
      goes({"reaps and pushes to its own queue this many:", std::popcount(set), false},
           [&](state& next, auto& me) {
             move_workers(next, set, state::in_queue(s + 1));
             me.at = sizing;
           });
    });
  }

  // Calls choose(set) for every set of workers at `place`, the empty one included.
  template <class Choose>
  void for_each_set(const state& now, std::uint8_t place, const Choose& choose) const {
    unsigned all = 0;
    for (int w = 0; w < here_.workers; ++w) {
      if (now.workers[w].place == place) all |= state::bit(w);
    }
    for (unsigned set = 0; set <= all; ++set) {
      if ((set & ~all) == 0) choose(set);
    }
  }

  void move_workers(state& next, unsigned set, std::uint8_t place) const {
    for (int w = 0; w < here_.workers; ++w) {
      if ((set & state::bit(w)) != 0) next.workers[w].place = place;
    }
  }

  void wake(state& next, int s) const {
    state::server& other = next.servers[s];
    if (other.at == asleep || rules_.remembers_wakes) other.wake = 1;
  }

  protocol rules_;
  scenario here_;
  population size_;
  std::uint8_t all_queues_;
};

}  // namespace umcg::model
