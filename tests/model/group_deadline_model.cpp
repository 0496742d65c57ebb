// SPDX-License-Identifier: MIT

// The deadlines of workers that wait in umcg_wait belong to their group: any server that looks for
// work lets those that are due pass, and a server that parks sleeps until the next one. So while a
// server sleeps, one that sleeps must know the next deadline. This model has one such worker, and
// any amount of other work that keeps a server for ever: the rest of the idle protocol is
// idle_protocol.hpp's.
//
// Fault "overslept": a deadline has passed, its worker waits, a server sleeps and nothing is going
// to happen.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

enum class watch : std::uint8_t {
  told_on_arming,  // whoever makes the next deadline earlier summons a server, which parks anew
  passed_on,       // and a server that was parked and has found work summons another
};

enum stage : std::uint8_t {
  taking,     // looks for due deadlines, then for work
  announced,  // is in the list, has not read the next deadline yet
  asleep,
  withdrawing,  // takes itself out of the list, if it is still there
  arming,       // its worker waits: the deadline becomes the next one
  counting,     // looks whether a server is parked
  removing,     // takes one out of the list
  waking,       // ends the sleep of that one
  serving,      // runs a worker that never stops
  serving_waiter,
};

enum found : std::uint8_t { nothing, other_work, the_waiter };

enum clock_stage : std::uint8_t { no_deadline, ahead, passed };

struct deadline_state {
  static constexpr int most = 3;
  static constexpr std::uint8_t nobody = 0xff;

  struct server {
    std::uint8_t at;
    std::uint8_t parked;      // is in the list
    std::uint8_t knows;       // sleeps until the deadline
    std::uint8_t wake;        // its sleep, or its next one, ends
    std::uint8_t was_parked;  // since it last ran a worker
    std::uint8_t work;        // what it has found: one of `found`
    std::uint8_t target;      // the server it wakes
    auto operator<=>(const server&) const = default;
  };

  server servers[most];
  std::uint8_t clock;   // of the waiting worker's deadline
  std::uint8_t pushed;  // the server that a pusher outside wakes
  auto operator<=>(const deadline_state&) const = default;
};

class group_deadline {
 public:
  using state = deadline_state;

  group_deadline(int servers, watch rule) : servers_(servers), rule_(rule) {}

  // Server 0 runs the worker that is going to wait.
  state initial() const {
    state first{};
    for (state::server& one : first.servers) one.target = state::nobody;
    first.servers[0].at = serving_waiter;
    first.pushed = state::nobody;
    return first;
  }

  state canonical(const state& now) const { return now; }
  const char* fault(const state&) const { return nullptr; }

  const char* fault_at_rest(const state& now) const {
    bool sleeps = false;
    for (const state::server& one : now.servers) sleeps |= one.at == asleep;
    return (now.clock == passed && sleeps) ? "overslept" : nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    outside_steps(now, visit);
    for (int s = 0; s < servers_; ++s) {
      server_steps(now, s, [&](const deed& done, auto change) {
        state next = now;
        change(next, next.servers[s]);
        visit(step{"server", s, done.action, done.object, done.promised}, next);
      });
    }
  }

 private:
  struct deed {
    const char* action;
    int object = -1;
    bool promised = true;
  };

  // Time, and a pusher of other work.
  template <class Visit>
  void outside_steps(const state& now, const Visit& visit) const {
    state next = now;
    if (now.clock == ahead) {
      next.clock = passed;
      visit(step{"deadline", 0, "passes", -1, false}, next);
    }
    next = now;
    if (now.pushed != state::nobody) {
      next.servers[now.pushed].wake = 1;
      next.pushed = state::nobody;
      return visit(step{"pusher", 0, "wakes server", now.pushed}, next);
    }
    for (int s = 0; s < servers_; ++s) {
      if (now.servers[s].parked == 0) continue;
      next = now;
      next.servers[s].parked = 0;
      next.pushed = static_cast<std::uint8_t>(s);
      visit(step{"pusher", 0, "takes out of the list server", s, false}, next);
    }
  }

  template <class Goes>
  void server_steps(const state& now, int s, const Goes& goes) const {
    switch (now.servers[s].at) {
      case taking:
        return look_for_work(now, goes);
      case announced:
        goes({"reads the next deadline and sleeps"}, [&](state&, auto& me) {
          me.knows = (now.clock != no_deadline) ? 1 : 0;
          me.at = asleep;
        });
        return goes({"sees other work", -1, false}, [](state&, auto& me) { me.at = withdrawing; });
      case asleep:
        return sleep(now, s, goes);
      case withdrawing:
        return goes({"is not in the list any more"}, [](state&, auto& me) {
          me.parked = me.knows = 0;
          me.was_parked = 1;
          me.at = taking;
        });
      case serving:
        return goes({"has its worker block", -1, false}, [](state&, auto& me) { me.at = taking; });
      case serving_waiter:
        return goes({"has its worker wait", -1, false}, [](state&, auto& me) { me.at = arming; });
      default:
        return summon_one(now, s, goes);
    }
  }

  template <class Goes>
  void look_for_work(const state& now, const Goes& goes) const {
    if (now.clock == passed) {
      return goes({"takes the worker whose deadline has passed"}, [&](state& next, auto& me) {
        next.clock = no_deadline;
        me.work = the_waiter;
        found_work(next, me);
      });
    }
    goes({"finds nothing and puts itself into the list"}, [](state&, auto& me) {
      me.parked = 1;
      me.was_parked = 0;
      me.at = announced;
    });
    goes({"takes other work", -1, false}, [&](state& next, auto& me) {
      me.work = other_work;
      found_work(next, me);
    });
  }

  void found_work(const state& now, state::server& me) const {
    const bool tells = rule_ == watch::passed_on && me.was_parked != 0 && now.clock != no_deadline;
    if (!tells) return go_on(me);
    me.at = counting;
  }

  static void go_on(state::server& me) {
    constexpr stage next[] = {taking, serving, serving_waiter};
    me.at = next[me.work];
    me.work = nothing;
    if (me.at != taking) me.was_parked = 0;
  }

  template <class Goes>
  void sleep(const state& now, int s, const Goes& goes) const {
    const state::server& self = now.servers[s];
    const auto wakes = [](state&, auto& me) {
      me.wake = 0;
      me.at = withdrawing;
    };
    if (self.wake != 0) goes({"is woken"}, wakes);
    if (self.knows != 0 && now.clock == passed) goes({"has slept until the deadline"}, wakes);
    goes({"wakes by itself", -1, false}, wakes);
  }

  template <class Goes>
  void summon_one(const state& now, int s, const Goes& goes) const {
    const auto ends = [](state&, auto& me) { go_on(me); };
    bool parked = false;
    for (const state::server& one : now.servers) parked |= one.parked != 0;
    switch (now.servers[s].at) {
      case arming:
        return goes({"makes the deadline known"}, [](state& next, auto& me) {
          next.clock = ahead;
          me.at = counting;
        });
      case counting:
        if (!parked) return goes({"sees no server parked"}, ends);
        return goes({"sees that a server is parked"}, [](state&, auto& me) { me.at = removing; });
      case removing:
        if (!parked) return goes({"finds the list empty"}, ends);
        return remove_parked(now, goes);
      default:
        return goes({"wakes server", now.servers[s].target}, [](state& next, auto& me) {
          next.servers[me.target].wake = 1;
          me.target = state::nobody;
          go_on(me);
        });
    }
  }

  template <class Goes>
  void remove_parked(const state& now, const Goes& goes) const {
    for (int other = 0; other < servers_; ++other) {
      if (now.servers[other].parked == 0) continue;
      goes({"takes out of the list server", other}, [&](state& next, auto& me) {
        next.servers[other].parked = 0;
        me.target = static_cast<std::uint8_t>(other);
        me.at = waking;
      });
    }
  }

  int servers_;
  watch rule_;
};

TEST(group_deadline_model, wakes_a_server_for_every_deadline) {
  expect_ok("watch passed on", {{1, 1}, {2, 1}, {3, 1}},
            [](int servers, int) { return explore(group_deadline(servers, watch::passed_on)); });
}

TEST(group_deadline_model, needs_a_server_that_was_parked_to_pass_the_watch_on) {
  expect_fault("told on arming only", {3, 1}, "overslept", [](int servers, int, const char* until) {
    return explore(group_deadline(servers, watch::told_on_arming), until);
  });
}

}  // namespace
}  // namespace umcg::model
