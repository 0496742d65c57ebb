// SPDX-License-Identifier: MIT

// A server or basic task in umcg_wait against wakers and its deadline: wait_asleep() and wake() of
// libumcg/waiting.cpp, line for line, on the real state word. What the half remembers for the next
// sleep (task::roused) may also be set by somebody who comes late: a summons of a server that is
// not parked any more, the waker of an earlier life.
//
// The task waits up to three times, and between two waits may run a worker (a server's word then
// says attached). Up to three wakers have up to three wakes each, one latecomer has one rouse; each
// wait may have its deadline pass at any time.
//
// Beside the word runs what the header promises, as a machine of two flags: a wake ends the wait
// that is under way, or else is remembered, at most one. Faults: "lost": the task sleeps although a
// wake has come. "doubled": a wait ends with 0 and no wake came. "swallowed": a wait ends at its
// deadline although a wake has come. "endless": somebody spins. "disturbed": a wake takes a server
// away from the worker that it runs.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/state_word.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

using real = state_word::real;

// What a variant does without. `none`: what libumcg does.
enum class without : std::uint8_t {
  none,
  looking_for_a_queued_wake,  // wait_unless_woken waits whatever the word says
  queued_wakes,               // a wake of a task that does not wait is nothing
  coalescing,                 // a waker retries until its wake can be queued
  one_exchange,               // a wake loads, and stores later
  moving_before_rousing,      // the rouse comes before the move of the word
  looking_after_the_sleep,    // the first rouse ends the wait
  remembered_rouses,          // a rouse ends a sleep that has begun, and no other
  winning_at_the_deadline,    // the deadline ends the wait whoever was first
  telling_attached_from_waiting,
};

enum task_stage : std::uint8_t { busy, attached, begins, looks, lies_down, sleeps, gives_up };
enum waker_stage : std::uint8_t { ready, stores, retries, rouses, moves_late };
enum wrong_kind : std::uint8_t { nothing, lost, doubled, swallowed, disturbed };
constexpr const char* wrong_words[] = {nullptr, "lost", "doubled", "swallowed", "disturbed"};

struct sleeper_state {
  static constexpr int wakers_most = 3;
  struct waker {
    std::uint32_t loaded;  // the word, where loading and storing are apart
    std::uint16_t left;
    std::uint16_t at;
    auto operator<=>(const waker&) const = default;
  };

  state_word word;
  waker wakers[wakers_most];
  std::uint8_t at;
  std::uint8_t waits_left;
  std::uint8_t roused;
  std::uint8_t latecomer;  // rouses that are still to come from elsewhere
  // What is promised: a wait is under way; a wake has ended it; a wake is queued.
  std::uint8_t waiting;
  std::uint8_t ended;
  std::uint8_t queued;
  std::uint8_t wrong;
  auto operator<=>(const sleeper_state&) const = default;
};

class sleeper {
 public:
  using state = sleeper_state;

  sleeper(int wakers, int wakes_each, without lack)
      : wakers_(wakers), wakes_each_(wakes_each), lack_(lack) {}

  state initial() const {
    state first{};
    first.word = state_word::at(real::running);
    first.waits_left = 3;
    first.latecomer = 1;
    for (int w = 0; w < wakers_; ++w) {
      first.wakers[w].left = static_cast<std::uint16_t>(wakes_each_);
    }
    return first;
  }

  state canonical(state now) const {
    sort_few(now.wakers, now.wakers + wakers_);
    return now;
  }

  const char* fault(const state& now) const { return wrong_words[now.wrong]; }

  const char* fault_at_rest(const state& now) const {
    const bool owed = now.ended != 0 || now.queued != 0;
    return now.at == sleeps && owed ? "lost" : nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const step& one, auto change) {
      state next = now;
      change(next);
      visit(one, next);
    };
    task_steps(now, can);
    for (int w = 0; w < wakers_; ++w) waker_steps(now, w, can);
    if (now.latecomer != 0) {
      can({"latecomer", 0, "rouses", -1, false}, [&](state& next) {
        --next.latecomer;
        rouse(next);
      });
    }
  }

 private:
  bool lacks(without what) const { return lack_ == what; }

  void rouse(state& next) const {
    if (next.at == sleeps || !lacks(without::remembered_rouses)) next.roused = 1;
  }

  void returns(state& next, bool by_deadline) const {
    if (by_deadline && (next.ended != 0 || next.queued != 0)) next.wrong = swallowed;
    if (!by_deadline && next.ended == 0) next.wrong = doubled;
    next.waiting = next.ended = 0;
    next.at = busy;
  }

  template <class Can>
  void task_steps(const state& now, const Can& can) const {
    switch (now.at) {
      case busy:
        return begin(now, can);
      case attached:
        return can({"task", 0, "gets control back from its worker", -1, false}, [](state& next) {
          if (next.word.place() != real::attached) {
            next.wrong = disturbed;
            return;
          }
          next.word.make([](real& word) { word.detach(); });
          next.at = busy;
        });
      case begins:
        return can({"task", 0, "waits unless it was woken"}, [&](state& next) { enter(next); });
      case looks:
        return can({"task", 0, "looks whether it still waits"}, [&](state& next) {
          if (next.word.place() != real::waiting) return returns(next, false);
          next.at = lies_down;
        });
      case lies_down:
        return can({"task", 0, "lies down"}, [](state& next) { next.at = sleeps; });
      case sleeps:
        if (now.roused != 0) {
          can({"task", 0, "is roused"}, [&](state& next) {
            next.roused = 0;
            next.at = looks;
            if (lacks(without::looking_after_the_sleep)) {
              next.word.put(real::running);
              returns(next, false);
            }
          });
        }
        return can({"task", 0, "sees its deadline pass", -1, false},
                   [](state& next) { next.at = gives_up; });
      default:
        return can({"task", 0, "gives up unless it was woken"}, [&](state& next) {
          if (next.word.make([](real& word) { return word.stop_waiting(); })) {
            return returns(next, true);
          }
          next.at = looks;
          if (lacks(without::winning_at_the_deadline)) returns(next, true);
        });
    }
  }

  template <class Can>
  void begin(const state& now, const Can& can) const {
    if (now.waits_left == 0) return;
    can({"task", 0, "calls wait", -1, false}, [](state& next) {
      --next.waits_left;
      next.at = begins;
    });
    if (now.word.place() != real::running) return;
    can({"task", 0, "runs a worker", -1, false}, [](state& next) {
      next.word.make([](real& word) { word.attach(); });
      next.at = attached;
    });
  }

  void enter(state& next) const {
    if (next.word.place() != real::running) {
      next.wrong = disturbed;
      return;
    }
    // What is promised: a queued wake is consumed and ends this wait.
    next.waiting = 1;
    if (next.queued != 0) {
      next.queued = 0;
      next.ended = 1;
    }
    if (lacks(without::looking_for_a_queued_wake)) {
      next.word.put(real::waiting);
      next.at = looks;
      return;
    }
    const bool waits = next.word.make([](real& word) { return word.wait_unless_woken(); });
    next.at = looks;
    if (!waits) returns(next, false);
  }

  template <class Can>
  void waker_steps(const state& now, int w, const Can& can) const {
    const auto named = [w](const char* action, bool promised = true) {
      return step{"waker", w, action, -1, promised};
    };
    switch (now.wakers[w].at) {
      case ready:
        if (now.wakers[w].left == 0) return;
        return can(named("begins to wake the task", false), [&](state& next) {
          --next.wakers[w].left;
          if (lacks(without::moving_before_rousing)) {
            next.wakers[w].at = moves_late;
            return rouse(next);
          }
          if (!lacks(without::one_exchange)) return wake(next, w);
          next.wakers[w].loaded = next.word.bits;
          next.wakers[w].at = stores;
        });
      case stores:
        return can(named("stores what it made of the word"), [&](state& next) {
          next.word.bits = next.wakers[w].loaded;
          next.wakers[w].loaded = 0;
          wake(next, w);
        });
      case retries:
        return can(named("tries again"), [&](state& next) { wake(next, w); });
      case moves_late:
        return can(named("moves the word after the rouse"), [&](state& next) {
          wake(next, w);
          next.wakers[w].at = ready;
        });
      default:
        return can(named("rouses the task"), [&](state& next) {
          next.wakers[w].at = ready;
          rouse(next);
        });
    }
  }

  void wake(state& next, int w) const {
    using libumcg::wake_result;
    state::waker& me = next.wakers[w];
    const std::uint32_t before = next.word.bits;
    const bool was_waiting = next.word.place() == real::waiting;
    if (lacks(without::telling_attached_from_waiting) && next.word.place() == real::attached) {
      next.word.put(real::running);
    } else {
      const wake_result result = next.word.make([](real& word) { return word.wake(1, false); });
      me.at = result == wake_result::rouse ? rouses : ready;
    }
    if (!was_waiting && lacks(without::queued_wakes)) next.word.bits = before;
    if (lacks(without::coalescing) && (before & real::wake_queued) != 0) {
      me.at = retries;
      return;
    }
    if (next.waiting != 0 && next.ended == 0) {
      next.ended = 1;
    } else {
      next.queued = 1;
    }
  }

  int wakers_;
  int wakes_each_;
  without lack_;
};

auto in_variant(without lack) {
  return [lack](int wakers, int wakes, const char* until = "") {
    return explore(sleeper(wakers, wakes, lack), until);
  };
}

// Sizes are wakers x wakes of each.

TEST(wait_wake_model, loses_and_doubles_no_wake) {
  expect_ok("ours", {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 3}}, in_variant(without::none));
}

TEST(wait_wake_model, needs_a_wait_that_looks_for_a_queued_wake) {
  expect_fault("no look for a queued wake", {1, 1}, "lost",
               in_variant(without::looking_for_a_queued_wake));
}

TEST(wait_wake_model, needs_wakes_that_are_queued) {
  expect_fault("no queued wakes", {1, 1}, "lost", in_variant(without::queued_wakes));
}

// B6, B7.
TEST(wait_wake_model, needs_wakes_that_coalesce) {
  expect_fault("a second wake waits for room", {1, 2}, "endless", in_variant(without::coalescing));
}

// B38, B44.
TEST(wait_wake_model, needs_one_exchange_for_a_move) {
  expect_fault("loads, then stores", {2, 1}, "lost", in_variant(without::one_exchange));
}

TEST(wait_wake_model, needs_the_move_before_the_rouse) {
  expect_fault("rouses, then moves", {1, 1}, "lost", in_variant(without::moving_before_rousing));
}

TEST(wait_wake_model, needs_a_look_at_the_word_after_the_sleep) {
  expect_fault("the first rouse ends the wait", {1, 1}, "doubled",
               in_variant(without::looking_after_the_sleep));
}

TEST(wait_wake_model, needs_rouses_that_are_remembered) {
  expect_fault("forgets early rouses", {1, 1}, "lost", in_variant(without::remembered_rouses));
}

// B18.
TEST(wait_wake_model, needs_a_deadline_that_wins_the_word) {
  expect_fault("a deadline ends the wait in any case", {1, 1}, "swallowed",
               in_variant(without::winning_at_the_deadline));
}

// B8, B24.
TEST(wait_wake_model, needs_a_word_that_tells_attached_from_waiting) {
  expect_fault("wakes a server that runs a worker", {1, 1}, "disturbed",
               in_variant(without::telling_attached_from_waiting));
}

}  // namespace
}  // namespace umcg::model
