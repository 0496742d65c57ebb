// SPDX-License-Identifier: MIT

// A channel of sync/ that is closed while values are sent and received, with deadlines and with
// values that throw: sync/channel_core.cpp, line for line, on the real channel_state. Up to three
// senders and three receivers make a few calls each, and somebody may close the channel at any
// time. A sender's value may be one that whoever makes room puts into the ring, or that it puts by
// itself, because that may throw or because it waits in several lines. What is done with the
// channel's mutex locked is one step: sync_mutex_model is about that.
//
// Faults. "lost": somebody waits although there is what it waits for, or the channel is closed.
// "missing": a receiver has the ring and finds no value, or a sender no room. "late": a value is
// put after a receiver was told that the channel is closed and empty. "dangling": a signal for a
// waiter that is gone. "gone": a sender whose value may have been received uses the channel, which
// whoever received the last value may have destroyed. "endless": somebody spins.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"
#include "model/waiting_line.hpp"
#include "umcg/sync/channel_state.hpp"
#include "umcg/sync/election_state.hpp"

namespace umcg::model {
namespace {

using sync::channel_state;
using sync::election_state;

// What a variant does without. `none`: what the channel does.
enum class without : std::uint8_t {
  none,
  promising_values,     // whoever waits is only told to look again; others may have it first
  promising_rooms,      // likewise
  passing_on,           // who throws leaves its room or value to whoever comes next
  closing_for_all,      // closing lets one sender and one receiver go on
  looking_for_closed,   // a sender that finds no room waits, whatever else it finds
  voiding_promises,     // who was promised a room puts its value into a closed channel
  claiming_to_leave,    // at its deadline it goes, whoever has claimed it
  claiming_by_itself,   // at its deadline it asks the channel whether it was taken out
  redeeming,            // a promise stays when it was used
  senders_first,        // a value that a sender held ready is put when receivers were looked at
  looking_whether_put,  // a sender whose value was put puts it once more
};

enum stage : std::uint8_t { idle, waits, expires, leaves, pinned, goes_on };
enum told : std::uint8_t { nothing, granted, called };
enum wrong_kind : std::uint8_t { fine, missing, late, dangling, gone };
constexpr const char* wrong_words[] = {nullptr, "missing", "late", "dangling", "gone"};

constexpr int each_most = 3;
constexpr int callers_most = 2 * each_most;  // senders, then receivers

struct channel_scene {
  struct caller {
    std::uint8_t at;
    std::uint8_t left;  // calls that it will still make
    std::uint8_t heard;
    std::uint8_t claimed;
    std::uint8_t holds_ready;  // whoever makes room is to put its value
    std::uint8_t was_put;
    auto operator<=>(const caller&) const = default;
  };

  std::uint8_t count;
  std::uint8_t promised_rooms;
  std::uint8_t promised_values;
  std::uint8_t closed;
  std::uint8_t may_close;
  std::uint8_t end_was_told;
  std::uint8_t wrong;
  // Taken out and still to be signalled, in any order: by whoever took them out.
  std::uint8_t to_grant;
  std::uint8_t to_call;
  waiting_line<each_most> senders;
  waiting_line<each_most> receivers;
  caller callers[callers_most];
  auto operator<=>(const channel_scene&) const = default;

  bool has_room(std::size_t capacity) const { return real(capacity).has_room(); }
  bool has_value(std::size_t capacity) const { return real(capacity).has_value(); }

  template <class Move>
  void make(std::size_t capacity, const Move& move) {
    channel_state moved = real(capacity);
    move(moved);
    count = static_cast<std::uint8_t>(moved.count());
    promised_rooms = static_cast<std::uint8_t>(moved.promised_rooms());
    promised_values = static_cast<std::uint8_t>(moved.promised_values());
    closed = moved.closed() ? 1 : 0;
  }

 private:
  channel_state real(std::size_t capacity) const {
    channel_state made(capacity);
    for (int i = 0; i < count; ++i) made.put();
    for (int i = 0; i < promised_rooms; ++i) made.promise_room();
    for (int i = 0; i < promised_values; ++i) made.promise_value();
    if (closed != 0) made.close();
    return made;
  }
};

struct channel_size {
  int senders;
  int receivers;
  int calls_each;
  std::size_t capacity;
};

class channel_model {
 public:
  using state = channel_scene;

  channel_model(const channel_size& size, without lack) : size_(size), lack_(lack) {}

  state initial() const {
    state first{};
    first.may_close = 1;
    for (int i = 0; i < callers_most; ++i) {
      const bool plays = i < each_most ? i < size_.senders : i - each_most < size_.receivers;
      first.callers[i].left = static_cast<std::uint8_t>(plays ? size_.calls_each : 0);
    }
    return first;
  }
  state canonical(const state& now) const { return now; }

  const char* fault(const state& now) const { return wrong_words[now.wrong]; }
  const char* fault_at_rest(const state& now) const {
    for (int i = 0; i < callers_most; ++i) {
      if (now.callers[i].at == idle) continue;
      const bool there = sends(i) ? now.count < size_.capacity : now.count != 0;
      if (now.callers[i].at != waits || now.closed != 0 || there) return "lost";
    }
    return nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int i = 0; i < callers_most; ++i) {
      const auto can = [&](const char* action, auto change, bool promised = true) {
        state next = now;
        change(next, next.callers[i]);
        visit(step{sends(i) ? "sender" : "receiver", i % each_most, action, -1, promised}, next);
      };
      caller_steps(now, i, can);
      signal_steps(now, i, can);
    }
    if (now.may_close == 0) return;
    state next = now;
    close(next);
    visit(step{"somebody", 0, "closes the channel", -1, false}, next);
  }

 private:
  using caller = state::caller;

  bool lacks(without what) const { return lack_ == what; }
  static bool sends(int i) { return i < each_most; }
  static auto& line_of(state& next, int i) { return sends(i) ? next.senders : next.receivers; }

  static void returns(state& next, caller& me, bool told_closed) {
    if (told_closed && &me >= next.callers + each_most) next.end_was_told = 1;
    me = caller{idle, me.left, nothing, 0, 0, 0};
  }

  template <class Can>
  void caller_steps(const state& now, int i, const Can& can) const {
    switch (now.callers[i].at) {
      case idle:
        if (now.callers[i].left == 0) return;
        can(
            "calls", [&](state& next, caller& me) { --me.left, begin(next, i, false); }, false);
        if (sends(i)) {
          can(
              "calls, with a value that others may put",
              [&](state& next, caller& me) {
                --me.left;
                me.holds_ready = 1;
                begin(next, i, false);
              },
              false);
        }
        return can(
            "calls, with a value that throws",
            [&](state& next, caller& me) { --me.left, begin(next, i, true); }, false);
      case waits:
        if (now.callers[i].heard == nothing) {
          return can(
              "sees its deadline pass", [](state&, caller& me) { me.at = expires; }, false);
        }
        return can("hears the signal", [&](state& next, caller& me) { hear(next, me); });
      case expires:
        return can("claims itself, if it can", [&](state& next, caller& me) {
          if (lacks(without::claiming_by_itself)) return ask_the_channel(next, i);
          const bool mine = claim(me) || lacks(without::claiming_to_leave);
          me.at = mine ? leaves : pinned;
        });
      case pinned:
        if (now.callers[i].heard == nothing) return;
        return can("hears the signal", [&](state& next, caller& me) { hear(next, me); });
      case leaves:
        return can("leaves the line", [&](state& next, caller& me) {
          line_of(next, i).remove(i);
          returns(next, me, false);
        });
      default:
        can("goes on", [&](state& next, caller&) { go_on(next, i, false); });
        return can(
            "goes on, and its value throws", [&](state& next, caller&) { go_on(next, i, true); },
            false);
    }
  }

  // Another one claims the caller, or it claims itself.
  static bool claim(caller& of) {
    election_state real(of.claimed != 0);
    const bool first = real.claim();
    of.claimed = real.claimed() ? 1 : 0;
    return first;
  }

  void ask_the_channel(state& next, int i) const {
    caller& me = next.callers[i];
    if (me.was_put != 0) next.wrong = gone;
    if (line_of(next, i).remove(i)) return returns(next, me, false);
    me.at = pinned;
  }

  void hear(state& next, caller& me) const {
    if (me.heard == called) return returns(next, me, true);
    if (me.was_put != 0 && !lacks(without::looking_whether_put)) return returns(next, me, false);
    me.at = goes_on;
  }

  void begin(state& next, int i, bool throws) const {
    const bool there = sends(i) ? next.has_room(size_.capacity) : next.has_value(size_.capacity);
    const bool closed =
        next.closed != 0 && (sends(i) ? !lacks(without::looking_for_closed) || there : !there);
    if (closed) return returns(next, next.callers[i], true);
    if (there) return use_ring(next, i, throws);
    line_of(next, i).push_back(i);
    next.callers[i].at = waits;
  }

  void go_on(state& next, int i, bool throws) const {
    const bool sending = sends(i);
    const bool promised = !lacks(sending ? without::promising_rooms : without::promising_values);
    if (promised && !lacks(without::redeeming)) {
      next.make(size_.capacity, [sending](channel_state& real) {
        sending ? real.redeem_room() : real.redeem_value();
      });
    }
    if (sending && next.closed != 0 && !lacks(without::voiding_promises)) {
      return returns(next, next.callers[i], true);
    }
    use_ring(next, i, throws);
  }

  // The rest of a call, which has the ring; unlocks the mutex.
  void use_ring(state& next, int i, bool throws) const {
    const bool sending = sends(i);
    if (sending ? next.count >= size_.capacity : next.count == 0) next.wrong = missing;
    if (sending && next.end_was_told != 0 && !throws) next.wrong = late;
    if (next.wrong != fine) return;
    returns(next, next.callers[i], false);
    if (!throws) {
      next.make(size_.capacity,
                [sending](channel_state& real) { sending ? real.put() : real.take(); });
    } else if (lacks(without::passing_on)) {
      return;
    }
    promise(next);
  }

  void promise(state& next) const {
    if (lacks(without::senders_first)) serve_a_receiver(next);
    serve_a_sender(next);
    if (!lacks(without::senders_first)) serve_a_receiver(next);
  }

  // The first in line that nobody else has claimed, or -1.
  static int pop_claimed(state& next, waiting_line<each_most>& line) {
    while (!line.empty()) {
      const int i = line.pop();
      if (claim(next.callers[i])) return i;
    }
    return -1;
  }

  void serve_a_receiver(state& next) const {
    if (!next.has_value(size_.capacity)) return;
    const int i = pop_claimed(next, next.receivers);
    if (i < 0) return;
    next.to_grant |= bit(i);
    if (!lacks(without::promising_values)) {
      next.make(size_.capacity, [](channel_state& real) { real.promise_value(); });
    }
  }

  void serve_a_sender(state& next) const {
    if (!next.has_room(size_.capacity)) return;
    const int i = pop_claimed(next, next.senders);
    if (i < 0) return;
    next.to_grant |= bit(i);
    if (next.callers[i].holds_ready != 0) {
      if (next.end_was_told != 0) next.wrong = late;
      next.callers[i].was_put = 1;
      next.make(size_.capacity, [](channel_state& real) { real.put(); });
    } else if (!lacks(without::promising_rooms)) {
      next.make(size_.capacity, [](channel_state& real) { real.promise_room(); });
    }
  }

  void close(state& next) const {
    next.may_close = 0;
    next.make(size_.capacity, [](channel_state& real) { real.close(); });
    for (auto* line : {&next.senders, &next.receivers}) {
      const bool all = !lacks(without::closing_for_all);
      for (int i = pop_claimed(next, *line); i >= 0; i = all ? pop_claimed(next, *line) : -1) {
        next.to_call |= bit(i);
      }
    }
  }

  // Whoever has taken a waiter out signals it, some time after.
  template <class Can>
  void signal_steps(const state& now, int i, const Can& can) const {
    const auto signal = [&](told what) {
      can(what == granted ? "is signalled: it has what it waited for" : "is signalled: closed",
          [&, what](state& next, caller& me) {
            if (me.at == idle || me.at == goes_on || me.heard != nothing) next.wrong = dangling;
            me.heard = what;
            auto& whose = what == granted ? next.to_grant : next.to_call;
            whose = static_cast<std::uint8_t>(whose & ~bit(i));
          });
    };
    if ((now.to_grant & bit(i)) != 0) signal(granted);
    if ((now.to_call & bit(i)) != 0) signal(called);
  }

  channel_size size_;
  without lack_;
};

// Sizes are senders x receivers.
auto in_variant(without lack, int calls_each, std::size_t capacity) {
  return [=](int senders, int receivers, const char* until = "") {
    return explore(channel_model({senders, receivers, calls_each, capacity}, lack), until);
  };
}

TEST(sync_channel_model, loses_nothing_and_nobody) {
  expect_ok("one place, 3 calls each", {{1, 1}, {2, 1}, {1, 2}}, in_variant(without::none, 3, 1));
  expect_ok("one place, 2 calls each", {{2, 2}}, in_variant(without::none, 2, 1));
  expect_ok("two places, 2 calls each", {{2, 2}}, in_variant(without::none, 2, 2));
  expect_ok("one place, 1 call each", {{3, 2}, {2, 3}}, in_variant(without::none, 1, 1));
}

TEST(sync_channel_model, needs_values_that_are_promised) {
  expect_fault("a newcomer may take it first", {1, 2}, "missing",
               in_variant(without::promising_values, 2, 1));
}

TEST(sync_channel_model, needs_rooms_that_are_promised) {
  expect_fault("a newcomer may take it first", {2, 1}, "missing",
               in_variant(without::promising_rooms, 2, 1));
}

TEST(sync_channel_model, needs_promises_that_are_redeemed) {
  expect_fault("a promise stays", {1, 1}, "lost", in_variant(without::redeeming, 3, 1));
}

TEST(sync_channel_model, needs_those_who_throw_to_pass_on_what_they_leave) {
  expect_fault("leaves it to whoever comes next", {2, 2}, "lost",
               in_variant(without::passing_on, 2, 1));
}

TEST(sync_channel_model, needs_senders_to_be_served_before_receivers) {
  expect_fault("looks at receivers, then puts a value", {2, 2}, "lost",
               in_variant(without::senders_first, 2, 1));
}

TEST(sync_channel_model, needs_senders_that_look_whether_their_value_was_put) {
  expect_fault("puts it once more", {1, 1}, "missing",
               in_variant(without::looking_whether_put, 3, 1));
}

TEST(sync_channel_model, needs_a_close_that_reaches_all) {
  expect_fault("calls one of each", {1, 2}, "lost", in_variant(without::closing_for_all, 1, 1));
}

TEST(sync_channel_model, needs_senders_that_look_whether_it_is_closed) {
  expect_fault("waits in any case", {2, 1}, "lost", in_variant(without::looking_for_closed, 2, 1));
}

TEST(sync_channel_model, needs_promises_of_rooms_that_closing_voids) {
  expect_fault("puts into a closed channel", {2, 2}, "late",
               in_variant(without::voiding_promises, 2, 1));
}

TEST(sync_channel_model, needs_callers_that_claim_themselves_to_leave) {
  expect_fault("goes at its deadline in any case", {1, 1}, "dangling",
               in_variant(without::claiming_to_leave, 1, 1));
  expect_fault("asks the channel whether it was taken out", {1, 1}, "gone",
               in_variant(without::claiming_by_itself, 2, 1));
}

}  // namespace
}  // namespace umcg::model
