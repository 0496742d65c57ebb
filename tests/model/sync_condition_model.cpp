// SPDX-License-Identifier: MIT

// A condition variable of sync/: sync/condition_variable.cpp and wait_in() of sync/waiter.hpp, line
// for line, on the real condition_state. Takers wait for tokens, with deadlines; a giver puts one
// token there at a time, under the mutex, and notifies one, or all, after it has unlocked. The
// mutex is one that has an owner: sync_mutex_model is about that. What is done under the lock of
// the queue is one step.
//
// Faults. "lost": somebody waits although there is a token, and nobody is going to notify it.
// "dangling": a signal for a waiter that is gone. "endless": somebody spins.

#include <algorithm>
#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"
#include "model/waiting_line.hpp"
#include "umcg/sync/condition_state.hpp"

namespace umcg::model {
namespace {

using sync::condition_state;

// What a variant does without. `none`: what the condition variable does.
enum class without : std::uint8_t {
  none,
  queueing_before_unlocking,  // it unlocks the mutex, then gets into the queue
  a_flag_for_the_others,      // whoever takes one out says that the queue is empty
  looking_whether_taken,      // at its deadline it goes, whoever has taken it out
  telling_of_notifications,   // who was notified at its deadline says timeout, and gives up
};

enum stage : std::uint8_t {
  idle,
  wants_mutex,
  owns,
  unlocked,
  queued,
  waits,
  leaves,
  pinned,
  wants_mutex_again,
  owns_again
};
enum giving : std::uint8_t { rests, wants, gives, looks, takes_out, signals };
enum wrong_kind : std::uint8_t { fine, dangling };
constexpr const char* wrong_words[] = {nullptr, "dangling"};

constexpr int takers_most = 3;

struct condition_scene {
  struct taker {
    std::uint8_t at;
    std::uint8_t left;
    std::uint8_t heard;
    std::uint8_t timed_out;
    auto operator<=>(const taker&) const = default;
  };

  std::uint8_t somebody;  // the word
  std::uint8_t locked;
  std::uint8_t tokens;
  std::uint8_t wrong;
  std::uint8_t giver;
  std::uint8_t gives_left;
  std::uint8_t to_all;
  std::uint8_t to_signal;  // a bit for each that was taken out
  waiting_line<takers_most> queue;
  taker takers[takers_most];
  auto operator<=>(const condition_scene&) const = default;

  template <class Move>
  void make(const Move& move) {
    condition_state real;
    if (somebody != 0) real.queue();
    move(real);
    somebody = real.anybody() ? 1 : 0;
  }
};

class condition_model {
 public:
  using state = condition_scene;

  condition_model(int takers, int tokens, without lack)
      : takers_(takers), tokens_(tokens), lack_(lack) {}

  state initial() const {
    state first{};
    first.gives_left = static_cast<std::uint8_t>(tokens_);
    for (int i = 0; i < takers_; ++i) first.takers[i].left = 1;
    return first;
  }
  static state canonical(const state& now) { return now; }

  static const char* fault(const state& now) { return wrong_words[now.wrong]; }
  const char* fault_at_rest(const state& now) const {
    for (int i = 0; i < takers_; ++i) {
      const taker& each = now.takers[i];
      if (each.at == idle) continue;
      if (each.at != waits || now.tokens != 0) return "lost";
    }
    return nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int i = 0; i < takers_; ++i) {
      const auto can = [&](const char* action, auto change, bool promised = true) {
        state next = now;
        change(next, next.takers[i]);
        visit(step{"taker", i, action, -1, promised}, next);
      };
      taker_steps(now, i, can);
    }
    const auto can = [&](const char* action, auto change, bool promised = true) {
      state next = now;
      change(next);
      visit(step{"giver", 0, action, -1, promised}, next);
    };
    giver_steps(now, can);
  }

 private:
  using taker = state::taker;

  bool lacks(without what) const { return lack_ == what; }

  template <class Can>
  void taker_steps(const state& now, int i, const Can& can) const {
    const taker& self = now.takers[i];
    switch (self.at) {
      case idle:
        if (self.left == 0) return;
        return can(
            "comes", [](state&, taker& me) { --me.left, me.at = wants_mutex; }, false);
      case wants_mutex:
      case wants_mutex_again:
        if (now.locked != 0) return;
        return can("locks the mutex", [](state& next, taker& me) {
          next.locked = 1;
          me.at = me.at == wants_mutex ? owns : owns_again;
        });
      case owns:
      case owns_again:
        return can("looks for a token", [&](state& next, taker& me) { look(next, me, i); });
      case unlocked:
        return can("gets into the queue", [i](state& next, taker& me) {
          enqueue(next, i);
          me.at = waits;
        });
      case queued:
        return can("unlocks the mutex", [](state& next, taker& me) {
          next.locked = 0;
          me.at = waits;
        });
      case waits:
      case pinned:
        if (self.heard != 0) {
          return can("hears the signal", [](state&, taker& me) {
            me.heard = 0;
            me.at = wants_mutex_again;
          });
        }
        if (self.at == pinned) return;
        return can(
            "sees its deadline pass", [](state&, taker& me) { me.at = leaves; }, false);
      default:
        return can("leaves the queue, if it is in it",
                   [&](state& next, taker& me) { leave(next, me, i); });
    }
  }

  static void enqueue(state& next, int i) {
    next.make([](condition_state& real) { real.queue(); });
    next.queue.push_back(i);
  }

  void look(state& next, taker& me, int i) const {
    const bool gives_up = me.at == owns_again && me.timed_out != 0;
    if (next.tokens != 0 && !(gives_up && lacks(without::telling_of_notifications))) {
      --next.tokens;
    } else if (!gives_up) {
      if (lacks(without::queueing_before_unlocking)) {
        next.locked = 0;
        me.at = unlocked;
        return;
      }
      enqueue(next, i);
      me.at = queued;
      return;
    }
    next.locked = 0;
    me.timed_out = 0;
    me.at = idle;
  }

  void leave(state& next, taker& me, int i) const {
    const bool left = next.queue.remove(i);
    if (left) leave_word(next);
    const bool goes = left || lacks(without::looking_whether_taken);
    me.timed_out = goes || lacks(without::telling_of_notifications) ? 1 : 0;
    me.at = goes ? wants_mutex_again : pinned;
  }

  void leave_word(state& next) const {
    const bool more = !next.queue.empty() && !lacks(without::a_flag_for_the_others);
    next.make([more](condition_state& real) { real.leave(more); });
  }

  template <class Can>
  void giver_steps(const state& now, const Can& can) const {
    switch (now.giver) {
      case rests:
        if (now.gives_left == 0) return;
        return can(
            "comes", [](state& next) { --next.gives_left, next.giver = wants; }, false);
      case wants:
        if (now.locked != 0) return;
        return can("locks the mutex", [](state& next) { next.locked = 1, next.giver = gives; });
      case gives:
        for (const bool to_all : {false, true}) {
          can(to_all ? "puts a token there, for all" : "puts a token there, for one",
              [to_all](state& next) {
                ++next.tokens;
                next.locked = 0;
                next.to_all = to_all ? 1 : 0;
                next.giver = looks;
              });
        }
        return;
      case looks:
        return can("looks whether anybody waits", [](state& next) {
          bool anybody = false;
          next.make([&anybody](condition_state& real) { anybody = real.anybody(); });
          next.giver = anybody ? takes_out : rests;
        });
      case takes_out:
        return can("takes out of the queue", [this](state& next) {
          while (!next.queue.empty()) {
            next.to_signal |= bit(next.queue.pop());
            if (next.to_all == 0) break;
          }
          leave_word(next);
          next.giver = next.to_signal != 0 ? signals : rests;
        });
      default:
        return can("signals", [](state& next) {
          int other = 0;
          while ((next.to_signal >> other & 1) == 0) ++other;
          taker& its = next.takers[other];
          const bool there =
              its.at == queued || its.at == waits || its.at == leaves || its.at == pinned;
          if (!there || its.heard != 0) next.wrong = dangling;
          its.heard = 1;
          next.to_signal = static_cast<std::uint8_t>(next.to_signal & ~bit(other));
          if (next.to_signal == 0) next.giver = rests;
        });
    }
  }

  int takers_;
  int tokens_;
  without lack_;
};

// Sizes are takers x tokens.
auto in_variant(without lack) {
  return [lack](int takers, int tokens, const char* until = "") {
    return explore(condition_model(takers, tokens, lack), until);
  };
}

TEST(sync_condition_model, loses_no_notification) {
  expect_ok("ours", {{1, 1}, {2, 1}, {2, 2}, {3, 2}, {3, 3}}, in_variant(without::none));
}

TEST(sync_condition_model, needs_waiters_that_queue_before_they_unlock) {
  expect_fault("unlocks, then queues", {1, 1}, "lost",
               in_variant(without::queueing_before_unlocking));
}

TEST(sync_condition_model, needs_a_flag_that_stays_for_the_others) {
  expect_fault("says that nobody waits", {2, 2}, "lost",
               in_variant(without::a_flag_for_the_others));
}

TEST(sync_condition_model, needs_a_look_whether_it_was_taken_out) {
  expect_fault("goes at its deadline in any case", {1, 1}, "dangling",
               in_variant(without::looking_whether_taken));
}

TEST(sync_condition_model, needs_waits_that_tell_of_notifications) {
  expect_fault("says timeout all the same", {2, 1}, "lost",
               in_variant(without::telling_of_notifications));
}

}  // namespace
}  // namespace umcg::model
