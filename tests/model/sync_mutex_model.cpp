// SPDX-License-Identifier: MIT

// The mutex of sync/ against deadlines: sync/mutex.cpp and wait_in() of sync/waiter.hpp, line for
// line, on the real state word. Up to four lockers lock and unlock it up to three times each;
// whether a wait has a deadline, and when it passes, is open in each of them. What is done under
// the lock of the line is one step, since it makes one exchange of the word; a step of its own is
// the opening of that lock, after which the unlocker does not touch the mutex any more.
//
// Faults. "lost": somebody waits, and nobody is going to let it go on. "shared": two own the mutex.
// "dangling": a signal for a waiter that is gone. "overtaken": another takes the mutex from one
// that was called in vain and waits for the second time. "touched": the mutex is still used by one
// that has let it go, and all others have finished: one of them may have destroyed it. "endless":
// somebody spins.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"
#include "model/waiting_line.hpp"
#include "umcg/sync/mutex_state.hpp"

namespace umcg::model {
namespace {

using sync::mutex_state;
using sync::succession;

// What a variant does without. `none`: what the mutex does.
enum class without : std::uint8_t {
  none,
  queueing_by_exchange,      // a newcomer finds it owned, and sets `queued` later whoever owns it
  one_call_at_a_time,        // called or not, whoever unlocks calls the next
  declining,                 // who was called and is late leaves `called` as it is
  leaving_by_the_word,       // at its deadline the last one leaves `queued` as it is
  withdrawing,               // who demanded the mutex leaves `handing` as it is
  looking_whether_taken,     // at its deadline it goes, whoever has taken it out
  demanding,                 // who was called in vain is called again
  letting_go_before_a_look,  // it is let go under the lock of a line in which nobody is
};

enum stage : std::uint8_t {
  idle,
  tries,
  found_owned,  // of a variant
  waits,        // in line for the first time, or taken out of it
  demands,      // in line for the second time, or taken out of it
  leaves,       // its deadline has passed
  withdraws,
  pinned,  // it was taken out before it could leave, and waits for the signal
  pinned_again,
  arrives,
  arrives_late,
  inside,
  unlocks,
  unlocks_line,
  opens_line,
  signals,
};
enum told : std::uint8_t { nothing, granted, called };
enum wrong_kind : std::uint8_t { fine, shared, dangling, overtaken, touched };
constexpr const char* wrong_words[] = {nullptr, "shared", "dangling", "overtaken", "touched"};

constexpr int lockers_most = 4;

struct mutex_scene {
  struct locker {
    std::uint8_t at;
    std::uint8_t left;    // how often it is going to lock
    std::uint8_t heard;   // its waiter's word
    std::uint8_t target;  // whom it is going to signal, and what
    std::uint8_t says;
    std::uint8_t passed_on;  // somebody has taken the mutex since it let go
    auto operator<=>(const locker&) const = default;
  };

  std::uint8_t word;
  std::uint8_t wrong;
  waiting_line<lockers_most> line;
  locker lockers[lockers_most];
  auto operator<=>(const mutex_scene&) const = default;

  template <class Move>
  auto make(const Move& move) {
    mutex_state real(word);
    const auto result = move(real);
    word = static_cast<std::uint8_t>(real.look());
    return result;
  }
};

class mutex_model {
 public:
  using state = mutex_scene;

  mutex_model(int lockers, int locks_each, without lack)
      : lockers_(lockers), locks_each_(locks_each), lack_(lack) {}

  state initial() const {
    state first{};
    for (int i = 0; i < lockers_; ++i) {
      first.lockers[i].left = static_cast<std::uint8_t>(locks_each_);
    }
    return first;
  }
  state canonical(const state& now) const { return now; }

  const char* fault(const state& now) const { return wrong_words[now.wrong]; }
  const char* fault_at_rest(const state& now) const {
    for (int i = 0; i < lockers_; ++i) {
      if (now.lockers[i].at != idle) return "lost";
    }
    return nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int i = 0; i < lockers_; ++i) {
      const auto can = [&](const char* action, auto change, bool promised = true) {
        state next = now;
        change(next, next.lockers[i]);
        look_for_faults(next);
        visit(step{"locker", i, action, -1, promised}, next);
      };
      lock_steps(now, i, can);
      unlock_steps(now, i, can);
    }
  }

 private:
  using locker = state::locker;

  bool lacks(without what) const { return lack_ == what; }
  static std::uintptr_t name(int who) { return static_cast<std::uintptr_t>(who + 1) << 3; }
  static int who(std::uintptr_t name) { return static_cast<int>(name >> 3) - 1; }

  static bool owns(const locker& one) {
    return one.at == inside || one.at == unlocks || one.at == unlocks_line;
  }
  bool line_is_locked(const state& now) const {
    for (int i = 0; i < lockers_; ++i) {
      if (now.lockers[i].at == opens_line) return true;
    }
    return false;
  }

  void look_for_faults(state& next) const {
    int owners = 0;
    int busy = 0;
    for (int i = 0; i < lockers_; ++i) {
      owners += owns(next.lockers[i]) ? 1 : 0;
      busy += next.lockers[i].at != idle || next.lockers[i].left != 0 ? 1 : 0;
    }
    if (owners > 1) next.wrong = shared;
    for (int i = 0; i < lockers_; ++i) {
      const locker& one = next.lockers[i];
      if (busy == 1 && one.at == opens_line && one.left == 0 && one.passed_on != 0) {
        next.wrong = touched;
      }
    }
  }

  // `who` has taken a free mutex.
  void takes(state& next, int who) const {
    for (int i = 0; i < lockers_; ++i) {
      if (i == who) continue;
      if (next.lockers[i].at == demands) next.wrong = overtaken;
      if (next.lockers[i].at == opens_line) next.lockers[i].passed_on = 1;
    }
    next.lockers[who].heard = nothing;
    next.lockers[who].at = inside;
  }

  void gives_up(locker& self) const {
    self.heard = nothing;
    self.at = idle;
  }

  template <class Can>
  void lock_steps(const state& now, int i, const Can& can) const {
    const locker& self = now.lockers[i];
    const bool may_lock_line = !line_is_locked(now);
    switch (self.at) {
      case idle:
        if (self.left == 0) return;
        return can(
            "begins to lock",
            [&](state& next, locker& me) {
              --me.left;
              const auto move = [i](mutex_state& real) {
                return real.take(name(i)) || real.take_free(name(i));
              };
              me.at = tries;
              if (next.make(move)) takes(next, i);
            },
            false);
      case tries:
      case found_owned:
        return queue_steps(now, i, can);
      case waits:
      case demands:
        return wait_steps(now, i, can);
      case leaves:
      case withdraws:
        if (!may_lock_line) return;
        return can("leaves the line, if it is in it",
                   [&](state& next, locker&) { leave(next, i); });
      case pinned:
      case pinned_again:
        if (self.heard == nothing) return;
        return can("hears the signal", [&](state& next, locker& me) {
          if (me.heard == granted) return takes_over(next, i);
          me.at = arrives_late;
        });
      case arrives:
        if (!may_lock_line) return;
        return can("arrives, and takes it or demands it",
                   [&](state& next, locker&) { arrive(next, i); });
      case arrives_late:
        return can("arrives too late, and takes it or declines", [&](state& next, locker& me) {
          const auto move = [i](mutex_state& real) { return real.take_or_decline(name(i)); };
          const std::uint8_t before = next.word;
          if (next.make(move)) return takes(next, i);
          if (lacks(without::declining)) next.word = before;
          gives_up(me);
        });
      default:
        return;
    }
  }

  template <class Can>
  void queue_steps(const state& now, int i, const Can& can) const {
    const bool looks_first = lacks(without::queueing_by_exchange);
    if (looks_first && now.lockers[i].at == tries) {
      return can("finds it owned, or takes it", [&](state& next, locker& me) {
        const auto move = [i](mutex_state& real) { return real.take_free(name(i)); };
        me.at = found_owned;
        if (next.make(move)) takes(next, i);
      });
    }
    if (line_is_locked(now)) return;
    if (!looks_first) {
      return can("gets in line, or takes it", [&](state& next, locker&) { get_in_line(next, i); });
    }
    can("gets in line", [&](state& next, locker& me) {
      next.word |= mutex_state::queued;
      next.line.push_back(i);
      me.at = waits;
    });
  }

  void get_in_line(state& next, int i) const {
    const auto move = [i](mutex_state& real) { return real.take_or_queue(name(i)); };
    if (next.make(move)) return takes(next, i);
    next.line.push_back(i);
    next.lockers[i].at = waits;
  }

  template <class Can>
  void wait_steps(const state& now, int i, const Can& can) const {
    const bool first = now.lockers[i].at == waits;
    if (now.lockers[i].heard != nothing) {
      can("hears the signal", [&](state& next, locker& me) {
        if (me.heard == granted) return takes_over(next, i);
        me.at = arrives;
      });
      if (now.lockers[i].heard == called) {
        can(
            "hears the signal, after its deadline",
            [](state&, locker& me) { me.at = arrives_late; }, false);
      }
      return;
    }
    can(
        "sees its deadline pass", [&](state&, locker& me) { me.at = first ? leaves : withdraws; },
        false);
  }

  // The mutex was handed to it.
  void takes_over(state& next, int i) const {
    next.lockers[i].heard = nothing;
    next.lockers[i].at = inside;
  }

  void leave(state& next, int i) const {
    locker& me = next.lockers[i];
    const bool demanded = me.at == withdraws;
    if (!next.line.remove(i)) {
      me.at = demanded ? pinned_again : pinned;
      if (lacks(without::looking_whether_taken)) gives_up(me);
      return;
    }
    const bool more = !next.line.empty();
    const std::uint8_t before = next.word;
    next.make([demanded, more](mutex_state& real) {
      demanded ? real.withdraw(more) : real.leave(more);
      return 0;
    });
    if (lacks(without::leaving_by_the_word) && !demanded) next.word = before;
    if (lacks(without::withdrawing) && demanded) next.word |= mutex_state::handing;
    gives_up(me);
  }

  void arrive(state& next, int i) const {
    const auto move = [i](mutex_state& real) { return real.take_or_demand(name(i)); };
    if (next.make(move)) return takes(next, i);
    if (lacks(without::demanding)) next.word &= static_cast<std::uint8_t>(~mutex_state::handing);
    next.line.push_front(i);
    next.lockers[i].heard = nothing;
    next.lockers[i].at = demands;
  }

  template <class Can>
  void unlock_steps(const state& now, int i, const Can& can) const {
    switch (now.lockers[i].at) {
      case inside:
        return can("begins to unlock", [](state&, locker& me) { me.at = unlocks; });
      case unlocks:
        return can("lets go, if it need not call", [&](state& next, locker& me) {
          const bool calls_again = lacks(without::one_call_at_a_time);
          const auto move = [i, calls_again](mutex_state& real) {
            return real.let_go(name(i)) || (!calls_again && real.let_go_called());
          };
          me.at = next.make(move) ? idle : unlocks_line;
        });
      case unlocks_line:
        if (line_is_locked(now)) return;
        return can("looks into the line", [&](state& next, locker& me) { let_go_to(next, me); });
      case opens_line:
        return can("opens the line", [](state&, locker& me) {
          me.at = me.says == nothing ? idle : signals;
          me.passed_on = 0;
        });
      case signals:
        return can("signals", [&](state& next, locker& me) {
          locker& other = next.lockers[me.target];
          const bool there = other.at == waits || other.at == demands || other.at == leaves ||
                             other.at == withdraws || other.at == pinned ||
                             other.at == pinned_again;
          if (!there || other.heard != nothing) next.wrong = dangling;
          other.heard = me.says;
          me.target = me.says = 0;
          me.at = idle;
        });
      default:
        return;
    }
  }

  void let_go_to(state& next, locker& me) const {
    if (next.line.empty()) {
      me.at = unlocks;
      if (!lacks(without::letting_go_before_a_look)) return;
      next.word &= mutex_state::flags;
      me.at = opens_line;
      return;
    }
    const int first = next.line.pop();
    const bool more = !next.line.empty();
    const auto move = [first, more](mutex_state& real) {
      return real.let_go_to(name(first), more);
    };
    me.says = next.make(move) == succession::call ? called : granted;
    me.target = static_cast<std::uint8_t>(first);
    me.at = opens_line;
  }

  int lockers_;
  int locks_each_;
  without lack_;
};

auto in_variant(without lack) {
  return [lack](int lockers, int locks, const char* until = "") {
    return explore(mutex_model(lockers, locks, lack), until);
  };
}

// Sizes are lockers x locks of each.

TEST(sync_mutex_model, loses_no_waiter_and_has_one_owner) {
  expect_ok("ours", {{1, 1}, {2, 1}, {2, 2}, {3, 2}, {3, 3}, {4, 1}, {4, 2}},
            in_variant(without::none));
}

TEST(sync_mutex_model, needs_newcomers_that_queue_by_one_exchange) {
  expect_fault("queues after a look", {2, 1}, "lost", in_variant(without::queueing_by_exchange));
}

TEST(sync_mutex_model, needs_owners_that_call_one_at_a_time) {
  expect_fault("calls another", {3, 2}, "overtaken", in_variant(without::one_call_at_a_time));
}

TEST(sync_mutex_model, needs_late_ones_that_decline) {
  expect_fault("goes without a word", {3, 2}, "lost", in_variant(without::declining));
}

TEST(sync_mutex_model, needs_leavers_that_clear_the_flag) {
  expect_fault("leaves `queued` behind", {2, 1}, "endless",
               in_variant(without::leaving_by_the_word));
}

TEST(sync_mutex_model, needs_demands_that_are_withdrawn) {
  expect_fault("leaves `handing` behind", {3, 2}, "endless", in_variant(without::withdrawing));
}

TEST(sync_mutex_model, needs_a_look_whether_it_was_taken_out) {
  expect_fault("goes at its deadline in any case", {2, 1}, "dangling",
               in_variant(without::looking_whether_taken));
}

TEST(sync_mutex_model, needs_demands) {
  expect_fault("is called again and again", {3, 2}, "overtaken", in_variant(without::demanding));
}

TEST(sync_mutex_model, needs_an_empty_line_to_be_left_before_it_is_let_go) {
  expect_fault("lets go under the lock", {3, 1}, "touched",
               in_variant(without::letting_go_before_a_look));
}

}  // namespace
}  // namespace umcg::model
