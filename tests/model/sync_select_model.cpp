// SPDX-License-Identifier: MIT

// Select over two channels: selection::wait() of sync/select.cpp and channel_core::queue(),
// leave(), begin_promised() and unlock(), line for line, on the real election_state and
// channel_state. Up to three callers receive from both channels or from one of them; others send
// while there is room, and may close. What is done with a channel's mutex locked is one step. The
// first look at all channels, before a select gets in line, is left out: it changes nothing that
// the second does not.
//
// Faults. "lost": somebody waits although there is what it waits for. "missing": a receiver owns
// the ring and finds no value. "doubled": two channels let one select go on. "dangling": a channel
// finds a place of a call that is over, or signals one. "endless": somebody spins.

#include <algorithm>
#include <compare>
#include <cstdint>
#include <iterator>

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

// What a variant does without. `none`: what select does.
enum class without : std::uint8_t {
  none,
  an_election,          // every channel that takes a place out lets the select go on
  passing_on,           // a channel that finds a place claimed elsewhere leaves it at that
  leaving_every_line,   // places stay in the queues of the other channels
  claiming_to_leave,    // at its deadline a select goes, whoever has claimed it
  a_promise_to_itself,  // who finds a value leaves the other queues, then looks for it
};

enum stage : std::uint8_t { idle, queues, waits, expires, pinned, leaves, begins };
enum told : std::uint8_t { nothing, granted, called };
enum wrong_kind : std::uint8_t { fine, missing, doubled, dangling };
constexpr const char* wrong_words[] = {nullptr, "missing", "doubled", "dangling"};

constexpr int callers_most = 3;
constexpr int channels = 2;
constexpr std::size_t capacity = 1;

struct select_scene {
  struct caller {
    std::uint8_t at;
    std::uint8_t left;     // calls that it will still make
    std::uint8_t next;     // the channel at which it gets in line next
    std::uint8_t tried;    // how many channels it has been to
    std::uint8_t queued;   // a bit for each channel in whose queue it has put a place
    std::uint8_t claimed;  // its election
    std::uint8_t chosen;   // the channel that has claimed it
    std::uint8_t heard;
    auto operator<=>(const caller&) const = default;
  };
  struct channel {
    std::uint8_t count;
    std::uint8_t promised;
    std::uint8_t closed;
    waiting_line<callers_most> line;
    auto operator<=>(const channel&) const = default;

    channel_state real() const {
      channel_state made(capacity);
      for (int i = 0; i < count; ++i) made.put();
      for (int i = 0; i < promised; ++i) made.promise_value();
      if (closed != 0) made.close();
      return made;
    }
    template <class Move>
    void make(const Move& move) {
      channel_state moved = real();
      move(moved);
      count = static_cast<std::uint8_t>(moved.count());
      promised = static_cast<std::uint8_t>(moved.promised_values());
      closed = moved.closed() ? 1 : 0;
    }
  };

  std::uint8_t wrong;
  std::uint8_t to_send;
  std::uint8_t to_grant;  // taken out, claimed and still to be signalled
  std::uint8_t to_call;
  channel all[channels];
  caller callers[callers_most];
  auto operator<=>(const select_scene&) const = default;
};

class select_model {
 public:
  using state = select_scene;

  select_model(int callers, int calls_each, without lack)
      : callers_(callers), calls_each_(calls_each), lack_(lack) {}

  state initial() const {
    state first{};
    first.to_send = 3;
    for (int i = 0; i < callers_; ++i) {
      first.callers[i].left = static_cast<std::uint8_t>(calls_each_);
    }
    return first;
  }
  static state canonical(const state& now) { return now; }

  static const char* fault(const state& now) { return wrong_words[now.wrong]; }
  static const char* fault_at_rest(const state& now) {
    for (int i = 0; i < callers_most; ++i) {
      if (now.callers[i].at == idle) continue;
      if (now.callers[i].at != waits) return "lost";
      for (int which = 0; which < channels; ++which) {
        const bool there = now.all[which].count != 0 || now.all[which].closed != 0;
        if (receives_from(i, which) && there) return "lost";
      }
    }
    return nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int i = 0; i < callers_; ++i) {
      const auto can = [&](const char* action, auto change, bool promised = true, int object = -1) {
        state next = now;
        change(next, next.callers[i]);
        visit(step{"caller", i, action, object, promised}, next);
      };
      caller_steps(now, i, can);
      if ((now.to_grant & bit(i)) != 0) {
        can("is signalled: granted", [i](state& next, caller&) { signal(next, i, granted); });
      }
      if ((now.to_call & bit(i)) != 0) {
        can("is signalled: closed", [i](state& next, caller&) { signal(next, i, called); });
      }
    }
    for (int which = 0; which < channels; ++which) world_steps(now, which, visit);
  }

 private:
  using caller = state::caller;
  using channel = state::channel;

  bool lacks(without what) const { return lack_ == what; }
  // The last of three receives from the first channel only.
  static bool receives_from(int i, int which) { return which == 0 || i + 1 < callers_most; }
  static int channels_of(int i) { return i + 1 < callers_most ? channels : 1; }

  // Another one claims caller i, or it claims itself.
  static bool claim(caller& of) {
    election_state real(of.claimed != 0);
    const bool first = real.claim();
    of.claimed = real.claimed() ? 1 : 0;
    return first;
  }

  // A channel has taken a place out: whether it is to let its caller go on.
  bool claim_place(state& next, int i, int which) const {
    caller& of = next.callers[i];
    const bool gone = of.at == idle || (of.queued >> which & 1) == 0;
    if (gone) next.wrong = dangling;
    const bool first = claim(of);
    if (!first && lacks(without::an_election)) next.wrong = doubled;
    if (first) of.chosen = static_cast<std::uint8_t>(which);
    return first;
  }

  void promise(state& next, int which) const {
    channel& of = next.all[which];
    while (!of.line.empty() && of.real().has_value()) {
      const int i = of.line.pop();
      if (claim_place(next, i, which)) {
        of.make([](channel_state& real) { real.promise_value(); });
        next.to_grant |= bit(i);
        return;
      }
      if (lacks(without::passing_on)) return;
    }
  }

  template <class Visit>
  void world_steps(const state& now, int which, const Visit& visit) const {
    const channel& of = now.all[which];
    if (of.closed != 0) return;
    if (now.to_send != 0 && of.real().has_room()) {
      state next = now;
      --next.to_send;
      next.all[which].make([](channel_state& real) { real.put(); });
      promise(next, which);
      visit(step{"somebody", 0, "sends to channel", which, false}, next);
    }
    state next = now;
    next.all[which].make([](channel_state& real) { real.close(); });
    while (!next.all[which].line.empty()) {
      const int i = next.all[which].line.pop();
      if (claim_place(next, i, which)) next.to_call |= bit(i);
    }
    visit(step{"somebody", 0, "closes channel", which, false}, next);
  }

  static void signal(state& next, int i, told what) {
    caller& me = next.callers[i];
    if (me.at == idle || me.heard != nothing) next.wrong = dangling;
    me.heard = what;
    auto& whose = what == granted ? next.to_grant : next.to_call;
    whose = static_cast<std::uint8_t>(whose & ~bit(i));
  }

  static void returns(caller& me) { me = caller{idle, me.left, 0, 0, 0, 0, 0, nothing}; }

  template <class Can>
  void caller_steps(const state& now, int i, const Can& can) const {
    const caller& self = now.callers[i];
    switch (self.at) {
      case idle:
        if (self.left == 0) return;
        for (int first = 0; first < channels_of(i); ++first) {
          can(
              "calls, and begins with channel",
              [first](state&, caller& me) {
                --me.left;
                me.next = static_cast<std::uint8_t>(first);
                me.at = queues;
              },
              false, first);
        }
        return;
      case queues:
        return can(
            "gets in line at channel", [&](state& next, caller&) { queue(next, i); }, true,
            self.next);
      case waits:
        if (self.heard != nothing) {
          return can("hears the signal", [](state&, caller& me) { me.at = leaves; });
        }
        return can(
            "sees its deadline pass", [](state&, caller& me) { me.at = expires; }, false);
      case expires:
        return can("claims itself, if it can", [&](state&, caller& me) {
          const bool claimed = claim(me) || lacks(without::claiming_to_leave);
          me.at = claimed ? leaves : pinned;
        });
      case pinned:
        if (self.heard == nothing) return;
        return can("hears the signal", [](state&, caller& me) { me.at = leaves; });
      case leaves:
        return can("leaves a line", [&](state& next, caller&) { leave(next, i); });
      default:
        return can("takes its value", [&](state& next, caller&) { begin_promised(next, i); });
    }
  }

  void queue(state& next, int i) const {
    caller& me = next.callers[i];
    const int which = me.next;
    channel& of = next.all[which];
    if (!of.real().has_value() && !of.real().closed()) {
      of.line.push_back(i);
      me.queued |= bit(which);
      me.next = static_cast<std::uint8_t>(1 - which);
      me.at = ++me.tried == channels_of(i) ? waits : queues;
      return;
    }
    if (!claim(me)) {
      me.at = pinned;
      return;
    }
    me.chosen = static_cast<std::uint8_t>(which);
    me.heard = of.real().has_value() ? granted : called;
    me.at = leaves;
    if (me.heard == called || lacks(without::a_promise_to_itself)) return;
    of.make([](channel_state& real) { real.promise_value(); });
  }

  void leave(state& next, int i) const {
    caller& me = next.callers[i];
    if (me.queued != 0 && !lacks(without::leaving_every_line)) {
      const int which = (me.queued & 1) != 0 ? 0 : 1;
      next.all[which].line.remove(i);
      me.queued = static_cast<std::uint8_t>(me.queued & ~bit(which));
    } else if (me.heard == granted) {
      me.at = begins;
    } else {
      returns(me);
    }
  }

  void begin_promised(state& next, int i) const {
    const int which = next.callers[i].chosen;
    channel& of = next.all[which];
    if (of.count == 0) {
      next.wrong = missing;
      return;
    }
    const bool promised = !lacks(without::a_promise_to_itself) || of.promised != 0;
    of.make([promised](channel_state& real) {
      if (promised) real.redeem_value();
      real.take();
    });
    returns(next.callers[i]);
    promise(next, which);
  }

  int callers_;
  int calls_each_;
  without lack_;
};

// Sizes are callers x calls of each.
auto in_variant(without lack) {
  return [lack](int callers, int calls, const char* until = "") {
    return explore(select_model(callers, calls, lack), until);
  };
}

TEST(sync_select_model, loses_nothing_and_nobody) {
  expect_ok("ours", {{1, 1}, {2, 1}, {2, 2}, {3, 1}}, in_variant(without::none));
}

TEST(sync_select_model, needs_an_election) {
  expect_fault("all let it go on", {1, 1}, "doubled", in_variant(without::an_election));
}

TEST(sync_select_model, needs_channels_that_pass_on_what_a_claimed_place_does_not_take) {
  expect_fault("leaves it at that", {2, 1}, "lost", in_variant(without::passing_on));
}

TEST(sync_select_model, needs_selects_that_leave_every_line) {
  expect_fault("leaves places behind", {1, 1}, "dangling", in_variant(without::leaving_every_line));
}

TEST(sync_select_model, needs_selects_that_claim_themselves_to_leave) {
  expect_fault("goes at its deadline", {1, 1}, "dangling", in_variant(without::claiming_to_leave));
}

TEST(sync_select_model, needs_promises_also_for_who_need_not_wait) {
  expect_fault("leaves, then looks", {2, 1}, "missing", in_variant(without::a_promise_to_itself));
}

}  // namespace
}  // namespace umcg::model
