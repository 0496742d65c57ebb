// SPDX-License-Identifier: MIT
#pragma once

// The protocol between idle workers and parked servers (libumcg/idle_workers.hpp,
// libumcg/idle_servers.hpp and how libumcg/serving.cpp uses them) as a model for the explorer. What
// the code does under a lock is one step here, and so is every look at shared memory without one.
//
// A worker runs for ever once it has a server, unless the scenario lets it block: a worker that
// ended by itself would bring its server back, which hides that another worker was left waiting.
// Each queue and the list of parked servers gives out any of its members, so the order that the
// code keeps is one of those explored.
//
// Faults: "stranded": a worker waits, a server sleeps, and nothing is going to happen. "late": a
// server that runs a worker is still in the list, or is woken although the protocol says that no
// wake is on its way. "doubled": two servers have taken the same worker. "lost": a server sleeps
// and is not in the list. "gone": somebody is about to wake a server that has unregistered.

#include <algorithm>
#include <bit>
#include <cstdint>

#include "model/explorer.hpp"
#include "model/idle_scene.hpp"

namespace umcg::model {

class idle_protocol : public idle_scene {
 public:
  using idle_scene::idle_scene;

  state initial() const {
    state first{};
    for (int w = 0; w < here_.workers; ++w) first.workers[w].blocks = state::byte(here_.blocks);
    return first;
  }

  template <class Visit>
  void steps(const state& now, Visit&& visit) const {
    for (int s = 0; s < here_.servers; ++s) {
      server_steps(now, s, [&](const deed& done, auto change) {
        state next = now;
        change(next, next.servers[s]);
        visit(step{"server", s, done.action, done.object, done.promised}, next);
      });
    }
    bool new_one = false;
    for (int p = 0; p < size_.pushers; ++p) {
      const bool starts = now.pushers[p].at == no_pusher;
      if (starts && new_one) continue;  // one pusher that starts is like another
      new_one |= starts;
      pusher_steps(now, p, [&](const deed& done, auto change) {
        state next = now;
        change(next, next.pushers[p]);
        visit(step{"pusher", p, done.action, done.object, !starts}, next);
      });
    }
  }

  const char* fault(const state& now) const {
    for (int s = 0; s < here_.servers; ++s) {
      const state::server& self = now.servers[s];
      if (self.at != serving) continue;
      if (self.parked != 0 || (rules_.awaits_its_wake && self.wake != 0)) return "late";
      if (now.count(state::with(s)) != 1) return "doubled";
    }
    for (int s = 0; s < here_.servers; ++s) {
      if (now.servers[s].at == gone && summons_on_the_way(now, s)) return "gone";
    }
    return nullptr;
  }

  const char* fault_at_rest(const state& now) const {
    bool sleeps = false;
    for (const state::server& one : now.servers) {
      if (one.at != asleep) continue;
      if (one.parked == 0) return "lost";
      sleeps = true;
    }
    for (int queue = 0; queue <= here_.servers; ++queue) {
      if (sleeps && now.count(state::in_queue(queue)) != 0) return "stranded";
    }
    return nullptr;
  }

  state canonical(const state& now) const {
    // Without the lock servers remember workers by name.
    return rules_.takes_under_lock ? smallest_renamed(now, size_) : now;
  }

 private:
  template <class Goes>
  void server_steps(const state& now, int s, const Goes& goes) const {
    if (now.servers[s].uncounted != 0) {
      goes({"is counted as parked at last"}, [](state&, auto& me) { me.uncounted = 0; });
    }
    switch (now.servers[s].at) {
      case taking:
        if (now.servers[s].seen == 0) {
          if (here_.batches) push_batches(now, s, goes);
          if (now.servers[s].summoned == 0 || !rules_.looks_before_leaving) leave(now, goes);
        }
        return look_through_queues(now, s, goes);
      case looking:
      case chain_looking:
        return look_through_queues(now, s, goes);
      case grabbing:
      case restocking:
        return bring_home(now, s, goes);
      case draining:
      case awaiting:
        return unregister(now, s, goes);
      case gone:
        return;
      case announcing:
        leave(now, goes);
        return goes({"puts itself into the list"}, [&](state&, auto& me) {
          me.parked = 1;
          me.uncounted = rules_.announces_before_looking ? 0 : 1;
          me.at = rules_.looks_again ? looking : asleep;
        });
      case asleep:
        return sleep(now, s, goes);
      case withdrawing:
        return withdraw(now, s, goes);
      case serving:
        return let_stop(now, s, goes);
      default:
        return summon_one(now, s, goes);
    }
  }

  // The shared queue, its own, and the others in any order; its own first where that is the rule.
  bool looks_next_at(const state::server& self, int s, int queue) const {
    const auto seen = [&self](int which) { return (self.seen & state::bit(which)) != 0; };
    const int own = s + 1;
    if (seen(queue)) return false;
    if (self.at == taking && rules_.fetches == fetching::one_after_own) {
      return queue == own || (seen(own) && (queue == 0 || seen(0)));
    }
    return queue == 0 || (seen(0) && (queue == own || seen(own)));
  }

  template <class Goes>
  void look_through_queues(const state& now, int s, const Goes& goes) const {
    for (int queue = 0; queue <= here_.servers; ++queue) {
      if (!looks_next_at(now.servers[s], s, queue)) continue;
      const int length = open(now, queue) ? now.count(state::in_queue(queue)) : 0;
      if (length == 0) {
        goes({"finds nothing in queue", queue},
             [&](state& next, auto&) { look_on(next, s, queue); });
      } else if (now.servers[s].at == taking) {
        take_from(now, s, queue, goes);
      } else {
        goes({"sees a worker in queue", queue},
             [&](state& next, auto&) { see_work(next, s, queue, length); });
      }
    }
  }

  void see_work(state& next, int s, int queue, int length) const {
    state::server& me = next.servers[s];
    me.found = state::byte(me.found + length);
    const bool enough = me.found > 1 || rules_.chains != chaining::if_several;
    if (me.at == chain_looking && !enough) return look_on(next, s, queue);
    me.at = (me.at == looking) ? withdrawing : counting;
    me.found = me.seen = 0;
  }

  // At the next queue, or the search was in vain.
  void look_on(state& next, int s, int queue) const {
    state::server& me = next.servers[s];
    me.seen |= state::bit(queue);
    if (me.seen != all_queues_) return;
    me.found = me.seen = 0;
    if (me.at == chain_looking) return go_on(next, s);
    if (me.at == looking) {
      me.at = asleep;
      return;
    }
    me.at = (rules_.passes_on_vain_wakes && me.summoned != 0) ? counting : announcing;
    me.summoned = 0;
  }

  template <class Goes>
  void take_from(const state& now, int s, int queue, const Goes& goes) const {
    const bool fetches = queue == 0 && rules_.fetches != fetching::one_after_own;
    const bool steals = queue != 0 && queue != s + 1 && rules_.steals != stealing::one;
    if (!rules_.takes_under_lock) return grab_from(now, queue, goes);
    if (!fetches && !steals) return take_one_from(now, s, queue, goes);
    const int half = (now.count(state::in_queue(queue)) + 1) / 2;
    for_each_set(now, state::in_queue(queue), [&](unsigned taken) {
      if (std::popcount(taken) != half) return;
      if (steals) return steal_half(s, queue, taken, goes);
      goes({"takes half of queue", 0}, [&](state& next, auto& me) {
        move_workers(next, taken, state::carried_by(s));
        me.seen |= state::bit(0);
        me.at = restocking;
      });
    });
  }

  template <class Goes>
  void take_one_from(const state& now, int s, int queue, const Goes& goes) const {
    for (int w = 0; w < here_.workers; ++w) {
      if (now.workers[w].place != state::in_queue(queue)) continue;
      goes({"takes a worker from queue", queue}, [&](state& next, auto&) { hold(next, s, w); });
    }
  }

  // One of those taken is to run next, the others are on the way to its own queue.
  template <class Goes>
  void steal_half(int s, int queue, unsigned taken, const Goes& goes) const {
    for (int w = 0; w < here_.workers; ++w) {
      if ((taken & state::bit(w)) == 0) continue;
      goes({"takes half of queue", queue}, [&](state& next, auto& me) {
        if (std::popcount(taken) == 1) return hold(next, s, w);
        move_workers(next, taken, state::carried_by(s));
        next.workers[w].place = state::with(s);
        me.seen = 0;
        me.at = restocking;
      });
    }
  }

  template <class Goes>
  void grab_from(const state& now, int queue, const Goes& goes) const {
    for (int w = 0; w < here_.workers; ++w) {
      if (now.workers[w].place != state::in_queue(queue)) continue;
      goes({"sees a worker in queue", queue}, [&](state&, auto& me) {
        me.at = grabbing;
        me.target = state::byte(w);
      });
    }
  }

  void hold(state& next, int s, int w) const {
    next.workers[w].place = state::with(s);
    next.servers[s].seen = 0;
    go_on(next, s);
  }

  template <class Goes>
  void bring_home(const state& now, int s, const Goes& goes) const {
    if (now.servers[s].at == grabbing) {
      return goes({"takes that worker"}, [&](state& next, auto& me) {
        hold(next, s, me.target);
        me.target = state::nobody;
      });
    }
    const bool leaves = now.servers[s].leaves != 0;
    goes({"puts what it carries into queue", leaves ? 0 : s + 1}, [&](state& next, auto& me) {
      for (state::worker& one : next.workers) {
        if (one.place == state::carried_by(s)) one.place = state::in_queue(leaves ? 0 : s + 1);
      }
      if (leaves) {
        me.at = rules_.summons_for_what_it_leaves ? counting : draining;
        return;
      }
      const bool stolen = next.has_worker(s);
      const bool silently = stolen ? rules_.steals == stealing::half_silently
                                   : rules_.fetches == fetching::half_first_silently;
      if (silently) return go_on(next, s);
      me.at = stolen ? counting : sizing;
    });
  }

  // Where a server goes that has nothing else to finish.
  void go_on(state& next, int s) const {
    state::server& me = next.servers[s];
    if (me.leaves != 0) {
      me.at = draining;
      return;
    }
    const bool served = next.has_worker(s);
    const bool its_turn = served == (rules_.chains == chaining::after_taking);
    if (me.summoned != 0 && rules_.chains != chaining::never && its_turn) {
      me.summoned = 0;
      me.at = chain_looking;
    } else {
      me.at = served ? serving : taking;
    }
  }

  template <class Goes>
  void sleep(const state& now, int s, const Goes& goes) const {
    if (now.servers[s].wake != 0) {
      goes({"is woken"}, [&](state& next, auto& me) {
        me.wake = 0;
        me.at = withdrawing;
        if (!rules_.awaits_its_wake) return;
        me.summoned = 1;
        go_on(next, s);
      });
    }
    if (here_.sleeps_end && (now.servers[s].parked != 0 || !rules_.awaits_its_wake)) {
      goes({"wakes by itself", -1, false}, [](state&, auto& me) { me.at = withdrawing; });
    }
  }

  template <class Goes>
  void withdraw(const state& now, int s, const Goes& goes) const {
    if (now.servers[s].parked != 0) {
      return goes({"takes itself out of the list"}, [&](state& next, auto&) {
        next.unpark(s);
        go_on(next, s);
      });
    }
    goes({"is not in the list any more"}, [&](state& next, auto& me) {
      me.summoned = rules_.sees_whether_summoned ? 1 : 0;
      if (me.summoned == 0 || !rules_.awaits_its_wake) return go_on(next, s);
      me.summoned = 0;
      me.at = asleep;
    });
  }

  // umcg_unregister_task(), called where no worker was found or none was looked for.
  template <class Goes>
  void leave(const state& now, const Goes& goes) const {
    const auto leaving = [](const state::server& one) { return one.leaves != 0; };
    const auto left = std::count_if(std::begin(now.servers), std::end(now.servers), leaving);
    if (left >= here_.leavers) return;
    goes({"begins to unregister", -1, false}, [](state&, auto& me) {
      me.leaves = 1;
      me.seen = me.found = me.summoned = 0;
      me.at = draining;
    });
  }

  // remove_server()
  template <class Goes>
  void unregister(const state& now, int s, const Goes& goes) const {
    if (now.servers[s].at == awaiting) {
      if (rules_.awaits_deliveries && summons_on_the_way(now, s)) return;
      return goes({"is gone"}, [](state&, auto& me) { me.at = gone; });
    }
    const int length = now.count(state::in_queue(s + 1));
    if (length == 0 || !rules_.leaves_queue_to_others) {
      return goes({"has nothing left in its queue"}, [](state&, auto& me) { me.at = awaiting; });
    }
    for_each_set(now, state::in_queue(s + 1), [&](unsigned taken) {
      if (std::popcount(taken) != (length + 1) / 2) return;
      goes({"takes half of its own queue"}, [&](state& next, auto& me) {
        move_workers(next, taken, state::carried_by(s));
        me.at = restocking;
      });
    });
  }

  template <class Goes>
  void summon_one(const state& now, int s, const Goes& goes) const {
    const auto to = [&](server_stage stage) {
      return [stage](state&, auto& me) { me.at = stage; };
    };
    const auto ends = [&](state& next, auto&) { go_on(next, s); };
    switch (now.servers[s].at) {
      case sizing:
        if (now.count(state::in_queue(s + 1)) > 1) {
          return goes({"sees more than one worker in queue", s + 1}, to(counting));
        }
        return goes({"sees at most one worker in queue", s + 1}, ends);
      case counting:
        if (now.shows_parked()) return goes({"sees that a server is parked"}, to(removing));
        return goes({"sees no server parked"}, ends);
      case removing:
        return remove_parked(now, waking, ends, goes);
      default:
        return goes({"wakes server", now.servers[s].target}, [&](state& next, auto& me) {
          wake(next, me.target);
          me.target = state::nobody;
          go_on(next, s);
        });
    }
  }

  // Any of the parked servers; `ends` if there is none.
  template <class Ends, class Goes>
  void remove_parked(const state& now, std::uint8_t then, const Ends& ends,
                     const Goes& goes) const {
    bool any = false;
    for (int s = 0; s < here_.servers; ++s) {
      if (now.servers[s].parked == 0) continue;
      any = true;
      goes({"takes out of the list server", s}, [&](state& next, auto& me) {
        next.unpark(s);
        me.target = state::byte(s);
        me.at = then;
      });
    }
    if (!any) goes({"finds the list empty"}, ends);
  }

  template <class Goes>
  void pusher_steps(const state& now, int p, const Goes& goes) const {
    const auto to = [](pusher_stage stage) { return [stage](state&, auto& me) { me.at = stage; }; };
    const auto ends = [](state&, auto& me) { me = {}; };
    const bool parked = now.shows_parked();
    const char* const sight = parked ? "sees that a server is parked" : "sees no server parked";
    switch (now.pushers[p].at) {
      case no_pusher:
        if (rules_.pushes_before_counting) return push(now, pusher_counting, goes);
        return goes({sight}, to(parked ? pushing_informed : pushing_uninformed));
      case pushing_informed:
        return push(now, pusher_removing, goes);
      case pushing_uninformed:
        return push(now, no_pusher, goes);
      case pusher_counting:
        if (parked) return goes({sight}, to(pusher_removing));
        return goes({sight}, ends);
      case pusher_removing:
        return remove_parked(now, pusher_waking, ends, goes);
      default:
        return goes({"wakes server", now.pushers[p].target}, [&](state& next, auto& me) {
          wake(next, me.target);
          me = {};
        });
    }
  }

  // Any worker that is away.
  template <class Goes>
  void push(const state& now, pusher_stage then, const Goes& goes) const {
    for (int w = 0; w < here_.workers; ++w) {
      if (now.workers[w].place != state::away) continue;
      for (int queue = 0; queue <= here_.servers; ++queue) {
        const bool at_home = queue == 0 || now.servers[queue - 1].at == serving;
        if (!open(now, queue) || (!at_home && !here_.far_pushes)) continue;
        goes({"pushes a worker to queue", queue}, [&](state& next, auto& me) {
          next.workers[w].place = state::in_queue(queue);
          me.at = then;
        });
      }
    }
  }
};

}  // namespace umcg::model
