// SPDX-License-Identifier: MIT

// An operation on a worker that a canceller ends through the inbox of its reactor: io/reactor.cpp
// and perform_interruptibly() of io/operations.cpp, line for line, on the real words. The worker
// makes two calls one after the other, at the same place of its stack, then ends, and the group
// with it, reactor included. Each call is under way until it completes by itself, which the kernel
// may do or not, or is cancelled; its server notices either when it collects. A worker that needs
// room in the ring may note an unpark that was meant for its server. Two cancellers each take the
// call that is offered at the time.
//
// Faults. "lost": a worker waits, or a call goes on that was to be cancelled, and nobody is going
// to end it. "dangling": the reactor finds a call in its inbox, or the canceller one in its hand,
// that is over. "gone": a canceller touches the reactor of a group that has ended. "late": a call
// is cancelled that is complete.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "io/interruption_state.hpp"
#include "model/explorer.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

using io::interruption_state;

// What a variant does without. `none`: what io/ does.
enum class without : std::uint8_t {
  none,
  posted,                // the worker waits for the reactor to let go, not for the canceller
  drained,               // and the other way round
  waking_by_the_second,  // whoever lets go wakes nobody
  ending_the_sleep,      // a canceller pushes, and leaves it at that
  a_look_before_sleep,   // the server sleeps, whatever is in its inbox
  under_way,             // the reactor cancels what it finds in its inbox
};

enum stage : std::uint8_t { begins, under_way, complete, withdraws, awaits, sleeps, gone };
enum serving : std::uint8_t { looks, asleep, collects };
enum cancelling : std::uint8_t { may_cancel, has_call, pushed_first, pushed, done };
enum wrong_kind : std::uint8_t { fine, dangling, reactor_gone, late };
constexpr const char* wrong_words[] = {nullptr, "dangling", "gone", "late"};

constexpr int calls = 2;
constexpr int cancellers = 2;
constexpr std::uint8_t none_of_them = 0;

struct io_scene {
  struct canceller {
    std::uint8_t at;
    std::uint8_t call;  // 1 + the number of the call that it has taken
    auto operator<=>(const canceller&) const = default;
  };

  std::uint8_t at;  // of the worker
  std::uint8_t call;
  std::uint8_t word;       // of the call
  std::uint8_t offered;    // whether the call is in its scope's slot
  std::uint8_t in_inbox;   // 1 + the number of the call that is in the reactor's inbox
  std::uint8_t cancelled;  // the kernel was asked to end it
  std::uint8_t noted;      // the unpark was sent, and not noted yet
  std::uint8_t server;
  std::uint8_t may_take_note;  // how often workers will still need room in the ring
  std::uint8_t wrong;
  canceller of[cancellers];
  auto operator<=>(const io_scene&) const = default;
};

class io_model {
 public:
  using state = io_scene;

  explicit io_model(without lack) : lack_(lack) {}

  static state initial() {
    state first{};
    first.may_take_note = 1;
    return first;
  }
  static state canonical(const state& now) { return now; }

  static const char* fault(const state& now) { return wrong_words[now.wrong]; }
  static const char* fault_at_rest(const state& now) {
    if (now.at == gone) return nullptr;
    // A call that nobody has cancelled may be under way for ever.
    return now.at == under_way && now.offered != 0 && now.server == asleep ? nullptr : "lost";
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const step& one, auto change) {
      state next = now;
      change(next);
      visit(one, next);
    };
    worker_steps(now, can);
    server_steps(now, can);
    for (int which = 0; which < cancellers; ++which) canceller_steps(now, which, can);
  }

 private:
  bool lacks(without what) const { return lack_ == what; }
  static bool is_over(const state& now) { return now.at == begins || now.at == gone; }

  template <class Move>
  static auto make(state& next, const Move& move) {
    interruption_state real(next.word);
    const auto result = move(real);
    next.word = static_cast<std::uint8_t>(real.look());
    return result;
  }

  // A worker has one call at a time, so there is never more than one in the inbox.
  static bool push(state& next, std::uint8_t call) {
    struct node {
      node* next_posted;
    } pushed{}, before{};
    io::inbox_state<node> real;
    if (next.in_inbox != 0) real.push(before);
    next.in_inbox = call;
    return real.push(pushed);
  }

  bool is_free(const state& now) const {
    std::uint32_t bits = now.word;
    if (lacks(without::posted)) bits |= interruption_state::posted;
    if (lacks(without::drained)) bits |= interruption_state::drained;
    return interruption_state(bits).free();
  }

  static void returns(state& next) {
    next.word = next.cancelled = 0;
    next.at = next.call + 1 == calls ? gone : begins;
    if (next.at == begins) ++next.call;
  }

  template <class Can>
  void worker_steps(const state& now, const Can& can) const {
    const auto worker = [](const char* action, bool promised = true) {
      return step{"worker", 0, action, -1, promised};
    };
    switch (now.at) {
      case begins:
        return can(worker("offers its call, and gives it to the reactor"), [](state& next) {
          next.offered = 1;
          next.at = under_way;
        });
      case withdraws:
        return can(worker("withdraws its call"), [](state& next) {
          const bool withdrawn = next.offered != 0;
          next.offered = 0;
          if (withdrawn) return returns(next);
          next.at = awaits;
        });
      case awaits:
        return can(worker("waits until it is free"), [this](state& next) {
          make(next, [](interruption_state& real) { return real.await(); });
          next.at = sleeps;
          if (is_free(next)) returns(next);
        });
      default:
        return;
    }
  }

  // Of whoever lets go of the call.
  void let_go(state& next, int call, std::uint32_t mine) const {
    if (call != next.call || is_over(next)) {
      next.wrong = dangling;
      return;
    }
    const bool wakes = make(next, [mine](interruption_state& real) { return real.let_go(mine); });
    const bool waits = next.at == sleeps;
    if (lacks(without::waking_by_the_second)) return;
    if (waits && (wakes || is_free(next))) returns(next);
  }

  template <class Can>
  void server_steps(const state& now, const Can& can) const {
    const auto server = [](const char* action, bool promised = true) {
      return step{"server", 0, action, -1, promised};
    };
    if (now.at == gone && now.in_inbox == 0) return;
    if (now.server == looks && now.noted != 0 && now.may_take_note != 0) {
      can(server("runs a worker that notes the unpark, for room in the ring", false),
          [](state& next) {
            --next.may_take_note;
            next.noted = 0;
          });
    }
    switch (now.server) {
      case looks:
        return can(server("looks into the inbox, and sleeps"), [this](state& next) {
          const bool stays = next.in_inbox != 0 && !lacks(without::a_look_before_sleep);
          next.server = stays ? collects : asleep;
        });
      case asleep:
        if (now.at == under_way) {
          can(server("wakes: the call has completed", false), [](state& next) {
            next.at = complete;
            next.server = collects;
          });
        }
        if (now.at == under_way && now.cancelled != 0) {
          can(server("wakes: the call was cancelled"), [](state& next) {
            next.at = complete;
            next.server = collects;
          });
        }
        if (now.noted == 0) return;
        return can(server("wakes: unpark"), [](state& next) {
          next.noted = 0;
          next.server = collects;
        });
      default:
        return can(server("collects"), [this](state& next) {
          collect(next);
          next.server = looks;
        });
    }
  }

  // Worker and canceller may be anywhere: what the server finds decides.
  void collect(state& next) const {
    if (next.in_inbox != 0) {
      const int call = next.in_inbox - 1;
      next.in_inbox = none_of_them;
      if (call == next.call && next.at == under_way) {
        next.cancelled = 1;
      } else if (lacks(without::under_way)) {
        next.wrong = late;
        return;
      }
      let_go(next, call, interruption_state::drained);
    }
    if (next.at == complete) next.at = withdraws;
  }

  template <class Can>
  void canceller_steps(const state& now, int which, const Can& can) const {
    const auto canceller = [which](const char* action, bool promised = true) {
      return step{"canceller", which, action, -1, promised};
    };
    const int call = now.of[which].call - 1;
    switch (now.of[which].at) {
      case may_cancel:
        if (now.offered == 0) return;
        return can(canceller("takes the call", false), [which](state& next) {
          next.offered = 0;
          next.of[which] = {has_call, static_cast<std::uint8_t>(1 + next.call)};
        });
      case has_call:
        return can(canceller("pushes"), [which](state& next) {
          if (is_over(next)) next.wrong = dangling;
          next.of[which].at = push(next, next.of[which].call) ? pushed_first : pushed;
        });
      case pushed_first:
        return can(canceller("ends the reactor's sleep"), [this, which](state& next) {
          if (next.at == gone) next.wrong = reactor_gone;
          if (!lacks(without::ending_the_sleep)) next.noted = 1;
          next.of[which].at = pushed;
        });
      case pushed:
        return can(canceller("lets go"), [this, which, call](state& next) {
          next.of[which] = {done, 0};
          // Of a variant that does not count on it, it touches the call no more.
          if (lacks(without::posted)) return;
          let_go(next, call, interruption_state::posted);
        });
      default:
        return;
    }
  }

  without lack_;
};

auto in_variant(without lack) {
  return [lack](int, int, const char* until = "") { return explore(io_model(lack), until); };
}

constexpr size the_scene{cancellers, calls};

TEST(io_cancellation_model, ends_every_call_and_touches_nothing_that_is_gone) {
  expect_ok("ours", {the_scene}, in_variant(without::none));
}

TEST(io_cancellation_model, needs_workers_that_wait_for_the_canceller) {
  expect_fault("goes when it was drained", the_scene, "gone", in_variant(without::posted));
}

TEST(io_cancellation_model, needs_workers_that_wait_for_the_reactor) {
  expect_fault("goes when it was posted", the_scene, "dangling", in_variant(without::drained));
}

TEST(io_cancellation_model, needs_a_wake_by_the_second) {
  expect_fault("wakes nobody", the_scene, "lost", in_variant(without::waking_by_the_second));
}

TEST(io_cancellation_model, needs_cancellers_that_end_the_sleep) {
  expect_fault("pushes only", the_scene, "lost", in_variant(without::ending_the_sleep));
}

TEST(io_cancellation_model, needs_a_look_before_sleep) {
  expect_fault("sleeps in any case", the_scene, "lost", in_variant(without::a_look_before_sleep));
}

TEST(io_cancellation_model, needs_to_know_what_is_under_way) {
  expect_fault("cancels in any case", the_scene, "late", in_variant(without::under_way));
}

}  // namespace
}  // namespace umcg::model
