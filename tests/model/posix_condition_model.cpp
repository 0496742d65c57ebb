// SPDX-License-Identifier: MIT

// Workers in line for a condition variable of the C library: posix/condition.cpp and
// posix/condition_line.cpp, line for line, on the real state word. Each worker wants one token: it
// waits while there is none, and gives up if its deadline has passed. Signallers bring tokens, one
// each, under the mutex, and signal after they have unlocked it. What is done under the lock of the
// line is one step.
//
// That a worker has come is seen by others some time later; by those who have had the mutex, or the
// lock of the line, after it, then. There is no fence: the mutex is what the program has to use.
//
// Faults. "lost": a worker waits beside a token that was signalled.
//
// Sizes are workers x signallers.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"
#include "model/waiting_line.hpp"
#include "posix/line_state.hpp"

namespace umcg::model {
namespace {

using posix::line_state;

// What a variant does without. `none`: what the library does.
enum class without : std::uint8_t {
  none,
  owning_it,              // a worker gets in line when it has unlocked the mutex
  looking_whether_taken,  // at its deadline it goes, whoever has taken it out
  ending_the_wait,        // who is taken out is not told
};

enum stage : std::uint8_t {
  idle,
  locks,
  looks,
  enters,
  enters_late,  // of a variant
  waits,
  checks,
  gives_up,
  locks_again,
  unlocks,
  // signallers
  brings,
  signals,
  calls,
};

constexpr int actors_most = 4;

struct condition_scene {
  struct actor {
    std::uint8_t at;
    std::uint8_t hidden;     // it has come, and these do not see that yet
    std::uint8_t listed;     // in line
    std::uint8_t heard;      // its wait ends, or its next one
    std::uint8_t passed;     // its deadline has
    std::uint8_t timed_out;  // that is what its wait has returned
    std::uint8_t done;
    auto operator<=>(const actor&) const = default;
  };

  std::uint64_t word;
  std::uint8_t owner;  // of the mutex: a number and 1
  std::uint8_t tokens;
  waiting_line<actors_most> line;
  actor actors[actors_most];
  std::uint8_t unused[5];
  auto operator<=>(const condition_scene&) const = default;

  template <class Move>
  void make(const Move& move) {
    line_state real(word);
    move(real);
    word = real.look();
  }
};

class condition_model {
 public:
  using state = condition_scene;

  condition_model(int workers, int signallers, without lack)
      : workers_(workers), actors_(workers + signallers), lack_(lack) {}

  state initial() const { return {}; }
  state canonical(const state& now) const { return now; }
  const char* fault(const state&) const { return nullptr; }
  const char* fault_at_rest(const state& now) const {
    if (now.tokens == 0) return nullptr;
    for (int i = 0; i < workers_; ++i) {
      if (now.actors[i].at == waits) return "lost";
    }
    return nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int i = 0; i < actors_; ++i) {
      const auto can = [&](const char* action, auto change, bool promised = true) {
        state next = now;
        change(next, next.actors[i]);
        visit(step{i < workers_ ? "worker" : "signaller", i, action, -1, promised}, next);
      };
      if (now.actors[i].hidden != 0) {
        can("is seen to have come", [](state&, condition_scene::actor& me) { me.hidden = 0; });
      }
      mutex_steps(now, i, can);
      if (i < workers_) {
        worker_steps(now, i, can);
      } else {
        signaller_steps(now, i, can);
      }
    }
  }

 private:
  using actor = state::actor;

  bool lacks(without what) const { return lack_ == what; }

  // By having had the mutex, or the lock of the line.
  static void learn(state& next, int i) {
    for (actor& each : next.actors) each.hidden &= static_cast<std::uint8_t>(~bit(i));
  }

  line_state seen_by(const state& now, int i) const {
    std::uint64_t word = now.word;
    for (int other = 0; other < workers_; ++other) {
      if ((now.actors[other].hidden & bit(i)) != 0) --word;
    }
    return line_state(word);
  }

  template <class Can>
  void mutex_steps(const state& now, int i, const Can& can) const {
    const std::uint8_t at = now.actors[i].at;
    if (at == idle && now.actors[i].done == 0) {
      can(
          "begins", [](state&, actor& me) { me.at = locks; }, false);
    }
    if ((at == locks || at == locks_again) && now.owner == 0) {
      can("locks the mutex", [&](state& next, actor& me) {
        next.owner = static_cast<std::uint8_t>(i + 1);
        learn(next, i);
        me.at = i < workers_ ? looks : brings;
      });
    }
  }

  template <class Can>
  void worker_steps(const state& now, int i, const Can& can) const {
    switch (now.actors[i].at) {
      case looks:
        return can("looks for a token", [&](state& next, actor& me) { look(next, me); });
      case unlocks:
        return can("unlocks the mutex, and is done", [](state& next, actor& me) {
          next.owner = 0;
          me = {};
          me.done = 1;
        });
      case enters:
        return can("gets in line and unlocks the mutex", [&](state& next, actor& me) {
          next.owner = 0;
          me.at = enters_late;
          if (!lacks(without::owning_it)) enter(next, i);
        });
      case enters_late:
        return can("gets in line", [&](state& next, actor&) { enter(next, i); });
      case waits:
        return wait_steps(now.actors[i], can);
      case checks:
        return can("looks whether it is in line", [&](state& next, actor& me) {
          learn(next, i);
          me.at = me.listed == 0 ? locks_again : me.passed != 0 ? gives_up : waits;
        });
      case gives_up:
        return can("leaves the line, if it is in it", [&](state& next, actor& me) {
          learn(next, i);
          me.timed_out = me.listed | (lacks(without::looking_whether_taken) ? 1 : 0);
          if (next.line.remove(i)) next.make([](line_state& real) { real.go(); });
          me.listed = me.hidden = 0;
          me.at = locks_again;
        });
      default:
        return;
    }
  }

  // Whoever waits without a predicate has to go by what the wait returns.
  static void look(state& next, actor& me) {
    if (me.timed_out != 0) {
      me.at = unlocks;
    } else if (next.tokens == 0) {
      me.at = enters;
    } else {
      --next.tokens;
      me.at = unlocks;
    }
  }

  void enter(state& next, int i) const {
    actor& me = next.actors[i];
    learn(next, i);
    next.line.push_back(i);
    next.make([](line_state& real) { real.come(); });
    me.listed = 1;
    me.hidden = static_cast<std::uint8_t>(~bit(i));
    me.at = waits;
  }

  template <class Can>
  static void wait_steps(const actor& self, const Can& can) {
    if (self.heard != 0) {
      can("goes on", [](state&, actor& me) {
        me.heard = 0;
        me.at = checks;
      });
    }
    can(
        "wakes for another reason", [](state&, actor& me) { me.at = checks; }, false);
    const auto pass = [](state&, actor& me) {
      me.passed = 1;
      me.at = gives_up;
    };
    can("sees its deadline pass", pass, false);
  }

  template <class Can>
  void signaller_steps(const state& now, int i, const Can& can) const {
    switch (now.actors[i].at) {
      case brings:
        return can("brings a token and unlocks the mutex", [](state& next, actor& me) {
          ++next.tokens;
          next.owner = 0;
          me.at = signals;
        });
      case signals:
        return can("looks whether anybody waits", [&](state& next, actor& me) {
          me.done = 1;
          me.at = seen_by(next, i).anybody() ? calls : idle;
        });
      case calls:
        return can("takes the first one out", [&](state& next, actor& me) {
          learn(next, i);
          me.at = idle;
          if (next.line.empty()) return;
          actor& first = next.actors[next.line.pop()];
          next.make([](line_state& real) { real.go(); });
          first.listed = first.hidden = 0;
          if (!lacks(without::ending_the_wait)) first.heard = 1;
        });
      default:
        return;
    }
  }

  int workers_;
  int actors_;
  without lack_;
};

auto in_variant(without lack) {
  return [lack](int workers, int signallers, const char* until = "") {
    return explore(condition_model(workers, signallers, lack), until);
  };
}

TEST(posix_condition_model, loses_no_signal) {
  expect_ok("ours", {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {3, 1}}, in_variant(without::none));
}

TEST(posix_condition_model, needs_workers_that_get_in_line_with_the_mutex) {
  expect_fault("unlocks, then gets in line", {1, 1}, "lost", in_variant(without::owning_it));
}

TEST(posix_condition_model, needs_a_look_whether_it_was_taken_out) {
  expect_fault("goes at its deadline in any case", {2, 1}, "lost",
               in_variant(without::looking_whether_taken));
}

TEST(posix_condition_model, needs_signals_that_end_the_wait) {
  expect_fault("is taken out and waits", {1, 1}, "lost", in_variant(without::ending_the_wait));
}

}  // namespace
}  // namespace umcg::model
