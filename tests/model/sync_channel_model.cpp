// SPDX-License-Identifier: MIT

// A channel of sync/ that is closed while values are sent and received, with deadlines and with
// values that throw: sync/channel_core.cpp, line for line, on the real channel_state. Up to three
// senders and three receivers make a few calls each, and somebody may close the channel at any
// time. What is done with the channel's mutex locked is one step: sync_mutex_model is about that.
//
// Faults. "lost": somebody waits although there is what it waits for, or the channel is closed.
// "missing": a receiver has the ring and finds no value, or a sender no room. "late": a value is
// put after a receiver was told that the channel is closed and empty. "dangling": a signal for a
// waiter that is gone. "endless": somebody spins.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"
#include "umcg/sync/channel_state.hpp"

namespace umcg::model {
namespace {

using sync::channel_state;

// What a variant does without. `none`: what the channel does.
enum class without : std::uint8_t {
  none,
  promising_values,       // whoever waits is only told to look again; others may have it first
  promising_rooms,        // likewise
  passing_on,             // who throws leaves its room or value to whoever comes next
  closing_for_all,        // closing lets one sender and one receiver go on
  looking_for_closed,     // a sender that finds no room waits, whatever else it finds
  voiding_promises,       // who was promised a room puts its value into a closed channel
  looking_whether_taken,  // at its deadline it goes, whoever has taken it out
  redeeming,              // a promise stays when it was used
};

enum stage : std::uint8_t { idle, waits, leaves, pinned, goes_on, signals };
enum told : std::uint8_t { nothing, granted, called };
enum wrong_kind : std::uint8_t { fine, missing, late, dangling };
constexpr const char* wrong_words[] = {nullptr, "missing", "late", "dangling"};

constexpr int each_most = 3;
constexpr int callers_most = 2 * each_most;  // senders, then receivers

// Waiters in order of arrival.
struct waiting_line {
  std::uint8_t length;
  std::uint8_t callers[each_most];
  auto operator<=>(const waiting_line&) const = default;

  void push(int who) { callers[length++] = static_cast<std::uint8_t>(who); }
  bool remove(int who) {
    int at = 0;
    while (at < length && callers[at] != who) ++at;
    if (at == length) return false;
    for (--length; at < length; ++at) callers[at] = callers[at + 1];
    callers[length] = 0;
    return true;
  }
  int pop() {
    const int first = callers[0];
    remove(first);
    return first;
  }
};

struct channel_scene {
  struct caller {
    std::uint8_t at;
    std::uint8_t left;  // calls that it will still make
    std::uint8_t heard;
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
  waiting_line senders;
  waiting_line receivers;
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
  static waiting_line& line_of(state& next, int i) {
    return sends(i) ? next.senders : next.receivers;
  }

  static void returns(state& next, caller& me, bool told_closed) {
    if (told_closed && &me >= next.callers + each_most) next.end_was_told = 1;
    me.heard = nothing;
    me.at = idle;
  }

  template <class Can>
  void caller_steps(const state& now, int i, const Can& can) const {
    switch (now.callers[i].at) {
      case idle:
        if (now.callers[i].left == 0) return;
        can(
            "calls", [&](state& next, caller& me) { --me.left, begin(next, i, false); }, false);
        return can(
            "calls, with a value that throws",
            [&](state& next, caller& me) { --me.left, begin(next, i, true); }, false);
      case waits:
        if (now.callers[i].heard == nothing) {
          return can(
              "sees its deadline pass", [](state&, caller& me) { me.at = leaves; }, false);
        }
        return can("hears the signal", [](state& next, caller& me) { hear(next, me); });
      case pinned:
        if (now.callers[i].heard == nothing) return;
        return can("hears the signal", [](state& next, caller& me) { hear(next, me); });
      case leaves:
        return can("leaves, if it was not taken out", [&](state& next, caller& me) {
          const bool left = line_of(next, i).remove(i);
          me.at = pinned;
          if (left || lacks(without::looking_whether_taken)) returns(next, me, false);
        });
      default:
        can("goes on", [&](state& next, caller&) { go_on(next, i, false); });
        return can(
            "goes on, and its value throws", [&](state& next, caller&) { go_on(next, i, true); },
            false);
    }
  }

  static void hear(state& next, caller& me) {
    if (me.heard == called) return returns(next, me, true);
    me.at = goes_on;
  }

  void begin(state& next, int i, bool throws) const {
    const bool there = sends(i) ? next.has_room(size_.capacity) : next.has_value(size_.capacity);
    const bool closed =
        next.closed != 0 && (sends(i) ? !lacks(without::looking_for_closed) || there : !there);
    if (closed) return returns(next, next.callers[i], true);
    if (there) return use_ring(next, i, throws);
    line_of(next, i).push(i);
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
    if (next.receivers.length != 0 && next.has_value(size_.capacity)) {
      next.to_grant |= bit(next.receivers.pop());
      if (!lacks(without::promising_values)) {
        next.make(size_.capacity, [](channel_state& real) { real.promise_value(); });
      }
    }
    if (next.senders.length != 0 && next.has_room(size_.capacity)) {
      next.to_grant |= bit(next.senders.pop());
      if (!lacks(without::promising_rooms)) {
        next.make(size_.capacity, [](channel_state& real) { real.promise_room(); });
      }
    }
  }

  void close(state& next) const {
    next.may_close = 0;
    next.make(size_.capacity, [](channel_state& real) { real.close(); });
    for (waiting_line* line : {&next.senders, &next.receivers}) {
      const bool all = !lacks(without::closing_for_all);
      while (line->length != 0) {
        next.to_call |= bit(line->pop());
        if (!all) break;
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

  static std::uint8_t bit(int i) { return static_cast<std::uint8_t>(1U << i); }

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
  expect_ok("one place, 1 call each", {{3, 2}, {2, 3}, {3, 3}}, in_variant(without::none, 1, 1));
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

TEST(sync_channel_model, needs_a_look_whether_it_was_taken_out) {
  expect_fault("goes at its deadline in any case", {1, 1}, "dangling",
               in_variant(without::looking_whether_taken, 1, 1));
}

}  // namespace
}  // namespace umcg::model
