// SPDX-License-Identifier: MIT

// A wait of sync/ in two scopes, one inside the other, against their cancellers, whoever lets the
// waiter go on, and deadlines: waiter::wait() and wait_in() of sync/waiter, the scope's constructor
// and destructor and cancellation_node::tell_some(), line for line, on the real words of the waiter
// and of the scopes. The worker waits once in both scopes, leaves the inner one, waits once more in
// the outer one, and leaves that. What is done under the lock of the waiter's queue is one step;
// the lock of a scope's list is held over the two steps in which its canceller tells the scope.
//
// Faults. "lost": somebody waits, and nobody is going to let it go on. "dangling": a signal or an
// interruption for a wait that is over. "touched": a canceller tells a scope that is gone.
// "endless": somebody spins.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"
#include "sched/bounds.hpp"
#include "sync/waiter_state.hpp"
#include "umcg/scope_state.hpp"

namespace umcg::model {
namespace {

using sync::waiter_state;

// What a variant does without. `none`: what sync/ does.
enum class without : std::uint8_t {
  none,
  a_look_after_offering,   // the worker looks at the flags, then offers its wait
  a_flag_before_taking,    // a canceller looks for a wait, then sets the flag
  awaiting_the_canceller,  // a worker whose wait was taken goes when it likes
  emptying_the_slot,       // a canceller leaves the wait in the slot
  looking_whether_taken,   // it leaves the queue, whoever has taken it out
  leaving_under_the_lock,  // a scope goes while its canceller may be telling it
};

// Of the worker, in each wait.
enum stage : std::uint8_t {
  begins,
  queued,
  offered,
  looks,
  sleeps,
  withdraws,
  awaits,
  leaves,
  pinned,
  leaves_scope,
  gone
};
// Of a canceller.
enum telling : std::uint8_t { may_cancel, has_list, told_flag, has_call, done };
enum wrong_kind : std::uint8_t { fine, dangling, touched };
constexpr const char* wrong_words[] = {nullptr, "dangling", "touched"};

constexpr int scopes = 2;  // the inner one, the outer one

struct cancellation_scene {
  struct canceller {
    std::uint8_t at;
    std::uint8_t call;  // 1 + the number of the wait that it has taken; 0: none
    auto operator<=>(const canceller&) const = default;
  };

  std::uint8_t at;
  std::uint8_t wait;      // the number of the wait: 0, 1
  std::uint8_t word;      // the waiter's
  std::uint8_t received;  // what the worker has seen in it
  std::uint8_t in_queue;
  std::uint8_t to_signal;  // 1 + the number of the wait that was taken out of the queue
  std::uint8_t slot;       // 1 + the number of the wait that is offered
  std::uint8_t flags;      // a bit for each scope
  std::uint8_t alive;      // likewise
  std::uint8_t listed;     // likewise: in the list of its cancellation
  std::uint8_t wrong;
  canceller cancellers[scopes];
  auto operator<=>(const cancellation_scene&) const = default;
};

struct any_call final : sched::interruptible {
  void interrupt() noexcept override {}
};

class cancellation_model {
 public:
  using state = cancellation_scene;

  explicit cancellation_model(without lack) : lack_(lack) {}

  static state initial() {
    state first{};
    first.alive = first.listed = 3;
    return first;
  }
  static state canonical(const state& now) { return now; }

  static const char* fault(const state& now) { return wrong_words[now.wrong]; }
  static const char* fault_at_rest(const state& now) {
    if (now.at == gone) return nullptr;
    // It may wait for ever for a signal, unless somebody has cancelled its scope.
    const bool cancelled = (now.flags & now.alive) != 0;
    return now.at == sleeps && now.in_queue != 0 && !cancelled ? nullptr : "lost";
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const step& one, auto change) {
      state next = now;
      change(next);
      visit(one, next);
    };
    worker_steps(now, can);
    if (now.in_queue != 0) {
      can(step{"somebody", 0, "takes the waiter out", -1, false}, [](state& next) {
        next.in_queue = 0;
        next.to_signal = static_cast<std::uint8_t>(1 + next.wait);
      });
    }
    if (now.to_signal != 0) {
      can(step{"somebody", 0, "signals it"}, [](state& next) {
        if (next.to_signal != 1 + next.wait || is_over(next)) next.wrong = dangling;
        next.to_signal = 0;
        make_word(next, [](waiter_state& real) { real.send(sync::signal::granted); });
      });
    }
    for (int which = 0; which < scopes; ++which) canceller_steps(now, which, can);
  }

 private:
  bool lacks(without what) const { return lack_ == what; }
  static bool is_over(const state& now) {
    return now.at == begins || now.at == leaves_scope || now.at == gone;
  }

  template <class Move>
  static void make_word(state& next, const Move& move) {
    waiter_state real(next.word);
    move(real);
    next.word = static_cast<std::uint8_t>(real.look());
  }
  template <class Move>
  static auto make_slot(state& next, const Move& move) {
    any_call call;
    sched::wait_slot real;
    if (next.slot != 0) real.offer(call);
    const auto result = move(real, call);
    if (real.take() == nullptr) next.slot = 0;
    return result;
  }

  template <class Can>
  void worker_steps(const state& now, const Can& can) const {
    const auto worker = [](const char* action, bool promised = true) {
      return step{"worker", 0, action, -1, promised};
    };
    switch (now.at) {
      case begins:
        return can(worker("gets into the queue"), [this](state& next) {
          next.in_queue = 1;
          next.at = lacks(without::a_look_after_offering) ? looks : queued;
        });
      case queued:
        return can(worker("offers its wait"), [this](state& next) {
          next.slot = static_cast<std::uint8_t>(1 + next.wait);
          next.at = lacks(without::a_look_after_offering) ? sleeps : looks;
        });
      case looks:
        return can(worker("looks at the flags"), [this](state& next) {
          const bool cancelled = (next.flags & next.alive) != 0;
          if (lacks(without::a_look_after_offering)) {
            next.at = cancelled ? leaves : queued;
          } else {
            next.at = cancelled ? withdraws : sleeps;
          }
        });
      case sleeps:
        if (now.word != 0) {
          can(worker("wakes"), [](state& next) {
            next.received = next.word & waiter_state::signals;
            next.at = withdraws;
          });
        }
        return can(worker("sees its deadline pass", false),
                   [](state& next) { next.at = withdraws; });
      case withdraws:
        return can(worker("withdraws its wait"), [this](state& next) { withdraw(next); });
      case awaits:
        if ((now.word & waiter_state::interrupted) == 0) return;
        return can(worker("sees the interruption"), [](state& next) { goes_on(next); });
      case leaves:
        return can(worker("leaves the queue, if it is in it"), [this](state& next) {
          const bool left = next.in_queue != 0;
          next.in_queue = 0;
          next.at = pinned;
          if (left || lacks(without::looking_whether_taken)) returns(next);
        });
      case pinned:
        if ((now.word & waiter_state::signals) == 0) return;
        return can(worker("hears the signal"), [](state& next) { returns(next); });
      case leaves_scope:
        return leave_scope_step(now, can);
      default:
        return;
    }
  }

  void withdraw(state& next) const {
    const bool withdrawn =
        make_slot(next, [](auto& slot, auto& call) { return slot.withdraw(call); });
    next.at = awaits;
    if (withdrawn || lacks(without::awaiting_the_canceller)) goes_on(next);
  }

  static void goes_on(state& next) {
    if (next.received != 0) return returns(next);
    next.at = leaves;
  }

  // From the wait: the waiter is gone.
  static void returns(state& next) {
    next.received = next.word = 0;
    next.at = leaves_scope;
  }

  template <class Can>
  void leave_scope_step(const state& now, const Can& can) const {
    const int which = now.wait;
    const std::uint8_t at = now.cancellers[which].at;
    const bool locked = at == has_list || at == told_flag;
    if (locked && !lacks(without::leaving_under_the_lock)) return;
    can(step{"worker", 0, "leaves scope", which}, [which](state& next) {
      next.alive = static_cast<std::uint8_t>(next.alive & ~(1U << which));
      next.listed = static_cast<std::uint8_t>(next.listed & ~(1U << which));
      next.at = which + 1 == scopes ? gone : begins;
      if (next.at == begins) ++next.wait;
    });
  }

  template <class Can>
  void canceller_steps(const state& now, int which, const Can& can) const {
    const auto canceller = [which](const char* action, bool promised = true) {
      return step{"canceller", which, action, -1, promised};
    };
    const bool flag_first = !lacks(without::a_flag_before_taking);
    const auto set_flag = [which](state& next) {
      if ((next.alive >> which & 1) == 0) next.wrong = touched;
      next.flags = static_cast<std::uint8_t>(next.flags | (1U << which));
    };
    const auto take_call = [this, which](state& next) {
      if ((next.alive >> which & 1) == 0) next.wrong = touched;
      const std::uint8_t before = next.slot;
      const bool taken = make_slot(next, [](auto& slot, auto&) { return slot.take() != nullptr; });
      if (taken) next.cancellers[which].call = before;
      if (lacks(without::emptying_the_slot)) next.slot = before;
    };
    switch (now.cancellers[which].at) {
      case may_cancel:
        return can(canceller("locks the list", false), [which](state& next) {
          const bool there = (next.listed >> which & 1) != 0;
          next.listed = static_cast<std::uint8_t>(next.listed & ~(1U << which));
          next.cancellers[which].at = there ? has_list : done;
        });
      case has_list:
        return can(canceller(flag_first ? "sets the flag" : "takes the wait"), [&](state& next) {
          flag_first ? set_flag(next) : take_call(next);
          next.cancellers[which].at = told_flag;
        });
      case told_flag:
        return can(canceller(flag_first ? "takes the wait" : "sets the flag"), [&](state& next) {
          flag_first ? take_call(next) : set_flag(next);
          next.cancellers[which].at = next.cancellers[which].call != 0 ? has_call : done;
        });
      case has_call:
        return can(canceller("interrupts the wait"), [which](state& next) {
          if (next.cancellers[which].call != 1 + next.wait || is_over(next)) next.wrong = dangling;
          next.cancellers[which] = {done, 0};
          make_word(next, [](waiter_state& real) { real.interrupt(); });
        });
      default:
        return;
    }
  }

  without lack_;
};

auto in_variant(without lack) {
  return
      [lack](int, int, const char* until = "") { return explore(cancellation_model(lack), until); };
}

constexpr size the_scene{scopes, 2};  // scopes x waits

TEST(sync_cancellation_model, ends_every_wait_and_touches_nothing_that_is_gone) {
  expect_ok("ours", {the_scene}, in_variant(without::none));
}

TEST(sync_cancellation_model, needs_a_look_after_offering) {
  expect_fault("looks, then offers", the_scene, "lost", in_variant(without::a_look_after_offering));
}

TEST(sync_cancellation_model, needs_cancellers_that_set_the_flag_first) {
  expect_fault("takes, then sets the flag", the_scene, "lost",
               in_variant(without::a_flag_before_taking));
}

TEST(sync_cancellation_model, needs_workers_that_await_the_canceller) {
  expect_fault("goes when it likes", the_scene, "dangling",
               in_variant(without::awaiting_the_canceller));
}

TEST(sync_cancellation_model, needs_cancellers_that_empty_the_slot) {
  expect_fault("leaves the wait in the slot", the_scene, "dangling",
               in_variant(without::emptying_the_slot));
}

TEST(sync_cancellation_model, needs_a_look_whether_it_was_taken_out) {
  expect_fault("leaves the queue in any case", the_scene, "dangling",
               in_variant(without::looking_whether_taken));
}

TEST(sync_cancellation_model, needs_scopes_that_leave_under_the_lock) {
  expect_fault("goes while it is told", the_scene, "touched",
               in_variant(without::leaving_under_the_lock));
}

}  // namespace
}  // namespace umcg::model
