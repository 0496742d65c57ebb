// SPDX-License-Identifier: MIT

// The deadlines of workers that wait in umcg_wait belong to their group: any server that looks for
// work lets those that are due pass, and one of the parked servers, the timekeeper, sleeps until
// the next one. So while a server sleeps, one that sleeps must know the next deadline. This model
// has one such worker, and any amount of other work that keeps a server for ever, and servers that
// leave; the rest of the idle protocol is idle_protocol.hpp's.
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
  kept,                 // the protocol
  not_passed_on,        // the timekeeper takes work and summons nobody
  left_silently,        // a server leaves and summons nobody
  only_by_the_keeper,   // who was summoned to keep the time takes work and summons nobody
  anybody_told,         // who makes the next deadline earlier summons the one that parked last
  looked_then_claimed,  // a server that parks reads the next deadline before it claims the office
  claimed_only_before   // and claims it only before it is in the list
};

enum stage : std::uint8_t {
  taking,      // looks for due deadlines, then for work
  claiming,    // is about to claim the office of the timekeeper
  entering,    // has claimed it or not, is not in the list yet
  reclaiming,  // is in the list, and claims the office again
  announced,   // is in the list, has not read the next deadline yet
  asleep,
  withdrawing,  // takes itself out of the list, if it is still there
  resigning,    // gives the office back
  checking,     // it was parked: looks whether somebody keeps the time
  arming,       // its worker waits: the deadline becomes the next one
  telling,      // looks who the timekeeper is
  counting,     // looks whether a server is parked
  removing,     // takes one out of the list and ends its sleep
  serving,      // runs a worker that never stops
  serving_waiter,
  gone,
};

enum found : std::uint8_t { nothing, other_work, the_waiter, leave };

enum clock_stage : std::uint8_t { no_deadline, ahead, passed };

struct deadline_state {
  static constexpr int most = 3;
  static constexpr std::uint8_t nobody = 0xff;

  struct server {
    std::uint8_t at;
    std::uint8_t parked;      // is in the list
    std::uint8_t knows;       // sleeps until the deadline
    std::uint8_t wake;        // its sleep, or its next one, ends
    std::uint8_t keeps;       // is the timekeeper
    std::uint8_t was_parked;  // since it last had work
    std::uint8_t kept;        // was the timekeeper when it was woken last
    std::uint8_t looked;      // has read the next deadline too early, and saw one
    std::uint8_t work;        // what it has found: one of `found`
    std::uint8_t target;      // the server it wakes
    auto operator<=>(const server&) const = default;
  };

  server servers[most];
  std::uint8_t clock;   // of the waiting worker's deadline
  std::uint8_t keeper;  // the timekeeper, or nobody
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
    first.keeper = state::nobody;
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
    for (int s = 0; s < servers_; ++s) {
      if (now.servers[s].parked == 0) continue;
      next = now;
      summon(next.servers[s]);
      visit(step{"pusher", 0, "summons server", s, false}, next);
    }
  }

  template <class Goes>
  void server_steps(const state& now, int s, const Goes& goes) const {
    switch (now.servers[s].at) {
      case taking:
        return look_for_work(now, goes);
      case claiming:
        return claim(s, entering, goes);
      case entering:
        return goes({"puts itself into the list"}, [&](state&, auto& me) {
          me.parked = 1;
          me.at = me.keeps != 0 || rule_ == watch::claimed_only_before ? announced : reclaiming;
        });
      case reclaiming:
        return claim(s, announced, goes);
      case announced:
        goes({"reads the next deadline and sleeps"}, [&](state&, auto& me) {
          const bool sees =
              rule_ == watch::looked_then_claimed ? me.looked != 0 : now.clock != no_deadline;
          me.knows = (me.keeps != 0 && sees) ? 1 : 0;
          me.looked = 0;
          me.at = asleep;
        });
        return goes({"sees other work", -1, false}, [](state&, auto& me) { me.at = withdrawing; });
      case asleep:
        return sleep(now, s, goes);
      case withdrawing:
        return goes({"is not in the list any more"}, [](state&, auto& me) {
          me.parked = me.knows = 0;
          me.at = me.keeps != 0 ? resigning : taking;
          me.was_parked = 1;
          me.kept = 0;
        });
      case resigning:
        return goes({"gives the office back"}, [&](state& next, auto& me) {
          next.keeper = state::nobody;
          me.keeps = 0;
          me.kept = rule_ == watch::only_by_the_keeper ? 1 : 0;
          me.at = taking;
        });
      case serving:
        return goes({"has its worker block", -1, false}, [](state&, auto& me) { me.at = taking; });
      case serving_waiter:
        return goes({"has its worker wait", -1, false}, [](state&, auto& me) { me.at = arming; });
      case gone:
        return;
      default:
        return tell(now, s, goes);
    }
  }

  template <class Goes>
  void claim(int s, stage then, const Goes& goes) const {
    goes({"claims the office if it is free"}, [&](state& next, auto& me) {
      me.keeps = next.keeper == state::nobody ? 1 : 0;
      if (me.keeps != 0) next.keeper = static_cast<std::uint8_t>(s);
      me.at = then;
    });
  }

  template <class Goes>
  void look_for_work(const state& now, const Goes& goes) const {
    if (now.clock == passed) {
      return goes({"takes the worker whose deadline has passed"}, [&](state& next, auto& me) {
        next.clock = no_deadline;
        me.work = the_waiter;
        found_work(me);
      });
    }
    goes({"finds nothing and goes to park"}, [&](state& next, auto& me) {
      const bool looks = rule_ == watch::looked_then_claimed;
      me.looked = looks && next.clock != no_deadline ? 1 : 0;
      me.at = claiming;
    });
    goes({"takes other work", -1, false}, [&](state&, auto& me) {
      me.work = other_work;
      found_work(me);
    });
    goes({"leaves", -1, false}, [&](state&, auto& me) {
      me.work = leave;
      found_work(me);
    });
  }

  void found_work(state::server& me) const {
    bool is_silent =
        me.work == leave ? rule_ == watch::left_silently : rule_ == watch::not_passed_on;
    is_silent |= rule_ == watch::only_by_the_keeper && me.kept == 0;
    me.at = checking;
    if (me.was_parked == 0 || is_silent) go_on(me);
  }

  static void go_on(state::server& me) {
    constexpr stage next[] = {taking, serving, serving_waiter, gone};
    me.at = next[me.work];
    me.work = nothing;
    me.was_parked = me.kept = 0;
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

  // What makes somebody else know the deadline.
  template <class Goes>
  void tell(const state& now, int s, const Goes& goes) const {
    const auto ends = [](state&, auto& me) { go_on(me); };
    const auto looks_for_anybody = [](state&, auto& me) { me.at = counting; };
    switch (now.servers[s].at) {
      case checking:
        if (now.clock == no_deadline || now.keeper != state::nobody) {
          return goes({"sees that it need not tell"}, ends);
        }
        return goes({"sees that nobody keeps the time"}, looks_for_anybody);
      case arming:
        return goes({"makes the deadline known"}, [&](state& next, auto& me) {
          next.clock = ahead;
          me.at = rule_ == watch::anybody_told ? counting : telling;
        });
      case telling:
        if (now.keeper == state::nobody) {
          return goes({"sees no timekeeper"}, looks_for_anybody);
        }
        return goes({"sees the timekeeper", now.keeper}, [](state& next, auto& me) {
          me.target = next.keeper;
          me.at = removing;
        });
      default:
        return look_for_parked(now, s, goes);
    }
  }

  // One step: who is out of the list and not woken yet sleeps as one does that is about to wake.
  static void summon(state::server& parked) {
    parked.parked = 0;
    parked.wake = 1;
  }

  template <class Goes>
  void look_for_parked(const state& now, int s, const Goes& goes) const {
    const state::server& self = now.servers[s];
    const auto ends = [](state&, auto& me) {
      me.target = state::nobody;
      go_on(me);
    };
    bool parked = false;
    for (const state::server& one : now.servers) parked |= one.parked != 0;
    switch (self.at) {
      case counting:
        if (!parked) return goes({"sees no server parked"}, ends);
        return goes({"sees that a server is parked"}, [](state&, auto& me) { me.at = removing; });
      default:
        if (self.target != state::nobody) {
          if (now.servers[self.target].parked == 0) return goes({"does not find it parked"}, ends);
        } else if (!parked) {
          return goes({"finds the list empty"}, ends);
        }
        return remove_parked(now, s, goes);
    }
  }

  template <class Goes>
  void remove_parked(const state& now, int s, const Goes& goes) const {
    const std::uint8_t wanted = now.servers[s].target;
    for (int other = 0; other < servers_; ++other) {
      if (now.servers[other].parked == 0) continue;
      if (wanted != state::nobody && wanted != other) continue;
      goes({"summons server", other}, [&](state& next, auto& me) {
        summon(next.servers[other]);
        me.target = state::nobody;
        go_on(me);
      });
    }
  }

  int servers_;
  watch rule_;
};

TEST(group_deadline_model, wakes_a_server_for_every_deadline) {
  expect_ok("a timekeeper", {{1, 1}, {2, 1}, {3, 1}},
            [](int servers, int) { return explore(group_deadline(servers, watch::kept)); });
}

void expect_overslept(std::string_view without, watch rule) {
  expect_fault(without, {3, 1}, "overslept", [rule](int servers, int, const char* until) {
    return explore(group_deadline(servers, rule), until);
  });
}

TEST(group_deadline_model, needs_a_timekeeper_that_takes_work_to_pass_the_watch_on) {
  expect_overslept("not passed on", watch::not_passed_on);
}

TEST(group_deadline_model, needs_a_timekeeper_that_leaves_to_pass_the_watch_on) {
  expect_overslept("left silently", watch::left_silently);
}

TEST(group_deadline_model, needs_everybody_who_was_parked_to_pass_the_watch_on) {
  expect_overslept("passed on only by the timekeeper", watch::only_by_the_keeper);
}

TEST(group_deadline_model, needs_the_timekeeper_to_learn_of_an_earlier_deadline) {
  expect_overslept("anybody told", watch::anybody_told);
}

TEST(group_deadline_model, needs_the_look_after_the_claim) {
  expect_overslept("looked, then claimed", watch::looked_then_claimed);
}

TEST(group_deadline_model, needs_the_claim_after_the_announcement) {
  expect_overslept("claimed only before", watch::claimed_only_before);
}

}  // namespace
}  // namespace umcg::model
