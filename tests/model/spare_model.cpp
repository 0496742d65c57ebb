// SPDX-License-Identifier: MIT

// One spare too many: it rests, the monitor keeps it for a server, the doorbell calls it, the
// server ends, and the spare must end too (kernel/usermode/spares.cpp, watch.cpp). On the real
// call_state. As many as are always ready rest beside it.
//
// Faults: "kept": it rests for ever though its server is gone; "lost call": it sleeps beside a
// call.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "kernel/usermode/call_state.hpp"
#include "model/explorer.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

enum class lacks : std::uint8_t {
  nothing,
  second_look,  // who keeps a spare does not look whether the server has ended meanwhile
  move,         // a spare that is put to rest is only woken
  care          // it is asked to look though it has been called
};

enum spare_stage : std::uint8_t {
  takes,
  counts,
  soon_sleeps,
  soon_sleeps_a_while,
  sleeps,
  sleeps_a_while,
  hosts,
  has_ended
};
// Of the monitor, which keeps spares, and of the server, which ends.
enum keeper_stage : std::uint8_t {
  idle,
  has_seen,
  has_taken,
  has_kept,
  rests_it,
  asks_it,
  wakes_it
};
enum server_stage : std::uint8_t { serves, has_left };
enum caller_stage : std::uint8_t { watches, has_it, has_called, is_done };

struct spare_scene {
  std::uint8_t word;
  std::uint8_t spare;
  std::uint8_t rests;  // it is in the reserve
  std::uint8_t woken;
  std::uint8_t standby;  // it is kept for the server
  std::uint8_t monitor;
  std::uint8_t server;
  std::uint8_t ending;   // keeper_stage: what the server's end does
  std::uint8_t caller;   // the server's doorbell, or a blocking region anywhere
  std::uint8_t is_owed;  // it was called, and has not come yet
  std::uint8_t keeps_left;
  auto operator<=>(const spare_scene&) const = default;
};

class spare_world {
 public:
  using state = spare_scene;
  using real = kernel::usermode::call_state;

  explicit spare_world(lacks lack) : lack_(lack) {}

  state initial() const { return {real::none, takes, 1, 0, 0, idle, serves, idle, watches, 0, 3}; }
  state canonical(const state& now) const { return now; }
  const char* fault(const state& /*now*/) const { return nullptr; }
  const char* fault_at_rest(const state& now) const {
    if (now.spare != sleeps) return nullptr;
    if (now.is_owed != 0) return "lost call";
    return now.server == has_left || now.rests != 0 ? "kept" : nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const char* actor, const char* action, auto change, bool promised = true) {
      state next = now;
      change(next);
      visit(step{actor, 0, action, -1, promised}, next);
    };
    spare_steps(now, can);
    monitor_steps(now, can);
    server_steps(now, can);
    caller_steps(now, can);
    put_to_rest(now, "the monitor", &state::monitor, can);
    put_to_rest(now, "the server", &state::ending, can);
  }

 private:
  // Applies a move of the real word.
  template <class Move>
  static bool on_word(state& next, Move move) {
    real word;
    word.word().store(next.word);
    const bool result = move(word);
    next.word = static_cast<std::uint8_t>(word.word().load());
    return result;
  }
  static void wake(state& next) {
    if (next.spare == sleeps || next.spare == sleeps_a_while) next.woken = 1;
  }

  template <class Can>
  static void spare_steps(const state& now, const Can& can) {
    const auto fall_asleep = [](state& next) {
      const std::uint8_t how = next.spare == soon_sleeps ? sleeps : sleeps_a_while;
      next.spare = next.word == real::none ? how : static_cast<std::uint8_t>(takes);
    };
    if (now.spare == takes) {
      can("the spare", "looks for a call", [](state& next) {
        next.spare = counts;
        if (!on_word(next, [](real& word) { return word.take(); })) return;
        next.spare = hosts;
        next.is_owed = 0;
      });
    } else if (now.spare == counts) {
      can("the spare", "counts those that rest",
          [](state& next) { next.spare = next.rests != 0 ? soon_sleeps_a_while : soon_sleeps; });
    } else if (now.spare == soon_sleeps || now.spare == soon_sleeps_a_while) {
      can("the spare", "goes to sleep", fall_asleep);
    } else if (now.spare == hosts) {
      can("the spare", "hosts nobody any more", [](state& next) {
        next.rests = 1;
        next.spare = takes;
      });
    } else if (now.woken != 0) {
      can("the spare", "is woken", [](state& next) {
        next.woken = 0;
        next.spare = takes;
      });
    }
    if (now.spare != sleeps_a_while) return;
    can("the spare", "has rested long enough", [](state& next) {
      next.woken = 0;
      next.spare = next.rests != 0 ? has_ended : takes;
      next.rests = 0;
    });
  }

  template <class Can>
  void monitor_steps(const state& now, const Can& can) const {
    if (now.monitor == idle && now.keeps_left != 0 && now.server == serves && now.standby == 0) {
      can(
          "the monitor", "sees a server without a spare",
          [](state& next) {
            --next.keeps_left;
            next.monitor = has_seen;
          },
          false);
    } else if (now.monitor == has_seen) {
      can("the monitor", "takes one that rests", [](state& next) {
        next.monitor = next.rests != 0 ? has_taken : idle;
        next.rests = 0;
      });
    } else if (now.monitor == has_taken) {
      can("the monitor", "keeps it for the server", [this](state& next) {
        next.standby = 1;
        next.monitor = lack_ == lacks::second_look ? idle : has_kept;
      });
    } else if (now.monitor == has_kept) {
      can("the monitor", "looks at the server again", [](state& next) {
        next.monitor = next.server == has_left && next.standby != 0 ? rests_it : idle;
        if (next.monitor == rests_it) next.standby = 0;
      });
    }
  }

  template <class Can>
  static void server_steps(const state& now, const Can& can) {
    if (now.server == serves) {
      can(
          "the server", "ends",
          [](state& next) {
            next.server = has_left;
            next.ending = has_kept;
          },
          false);
    } else if (now.ending == has_kept) {
      can("the server", "looks for its spare", [](state& next) {
        next.ending = next.standby != 0 ? rests_it : idle;
        next.standby = 0;
      });
    }
  }

  template <class Can>
  static void caller_steps(const state& now, const Can& can) {
    if (now.caller == watches && (now.standby != 0 || now.rests != 0)) {
      can(
          "somebody", "takes the spare",
          [](state& next) {
            next.standby = next.rests = 0;
            next.caller = has_it;
          },
          false);
    } else if (now.caller == has_it) {
      can("somebody", "calls the spare", [](state& next) {
        on_word(next, [](real& word) { return word.call(), true; });
        next.is_owed = 1;
        next.caller = has_called;
      });
    } else if (now.caller == has_called) {
      can("somebody", "wakes the spare", [](state& next) {
        wake(next);
        next.caller = is_done;
      });
    }
  }

  template <class Can>
  void put_to_rest(const state& now, const char* who, std::uint8_t state::*stage,
                   const Can& can) const {
    if (now.*stage == rests_it) {
      can(who, "puts the spare to rest", [&](state& next) {
        next.rests = 1;
        next.*stage = lack_ == lacks::move ? wakes_it : asks_it;
      });
    } else if (now.*stage == asks_it) {
      can(who, "asks it to look", [&](state& next) {
        if (lack_ == lacks::care) {
          next.word = real::to_look;
        } else {
          on_word(next, [](real& word) { return word.ask_to_look(), true; });
        }
        next.*stage = wakes_it;
      });
    } else if (now.*stage == wakes_it) {
      can(who, "wakes it", [&](state& next) {
        wake(next);
        next.*stage = idle;
      });
    }
  }

  lacks lack_;
};

auto explored(lacks lack) {
  return [lack](int, int, const char* until = "") { return explore(spare_world(lack), until); };
}

TEST(spare_model, ends_the_one_that_is_too_many) {
  expect_ok("a spare and its server", {{1, 1}}, explored(lacks::nothing));
}

TEST(spare_model, needs_a_second_look) {
  expect_fault("no second look", {1, 1}, "kept", explored(lacks::second_look));
}

TEST(spare_model, needs_a_move_beside_the_wake) {
  expect_fault("only a wake", {1, 1}, "kept", explored(lacks::move));
}

TEST(spare_model, needs_care_for_a_call) {
  expect_fault("over a call", {1, 1}, "lost call", explored(lacks::care));
}

}  // namespace
}  // namespace umcg::model
