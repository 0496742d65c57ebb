// SPDX-License-Identifier: MIT

// Workers in line for a mutex of the C library: posix/mutex.cpp and posix/mutex_line.cpp, line for
// line, on the real state word. Workers lock and unlock it, each wait with or without a deadline;
// threads lock it in the C library, and unlock it like workers or by waiting for a condition
// variable there, which nobody sees. What is done under the lock of the line is one step. The mutex
// has two words, as the C library's has: whether it is taken, and the owner's name, which is
// written after the first and cleared before.
//
// An unlocking waits in the store buffer of whoever unlocks until its fence, or some time later.
// That a worker has come is seen by others after its fence, or some time later, and by those who
// have had the lock of the line after it. What one has done oneself one sees.
//
// Faults. "lost": somebody waits, and nobody is going to let it go on. "shared": two own the mutex.
// "overtaken": a worker that came after another one's demand has the mutex before that.
//
// Sizes are workers x threads. 3x1 and 2x2 were ok as well, with 4.6 and 1.8 million states.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/posix_scene.hpp"
#include "model/verdict_table.hpp"
#include "model/waiting_line.hpp"

namespace umcg::model {
namespace {

using without = posix_without;

class posix_model {
 public:
  using state = posix_scene;

  posix_model(int workers, int threads, without lack)
      : workers_(workers), actors_(workers + threads), lack_(lack) {}

  state initial() const {
    state first{};
    for (int i = 0; i < actors_; ++i) first.actors[i].left = actors_ > 2 || i >= workers_ ? 1 : 2;
    return first;
  }
  state canonical(const state& now) const { return now; }

  const char* fault(const state& now) const {
    return now.wrong == 1 ? "shared" : now.wrong == 2 ? "overtaken" : nullptr;
  }
  const char* fault_at_rest(const state& now) const {
    for (int i = 0; i < actors_; ++i) {
      if (now.actors[i].at != idle && now.actors[i].at != waits_unseen) return "lost";
    }
    return nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int i = 0; i < actors_; ++i) {
      const auto can = [&](const char* action, auto change, bool promised = true) {
        state next = now;
        change(next, next.actors[i]);
        visit(step{i < workers_ ? "worker" : "thread", i, action, -1, promised}, next);
      };
      drain_steps(now, i, can);
      if (i < workers_) {
        arrival_steps(now, i, can);
        waiting_steps(now, i, can);
      } else {
        thread_steps(now, i, can);
      }
      owner_steps(now, i, can);
      unlock_steps(now, i, can);
    }
  }

 private:
  using actor = state::actor;

  bool lacks(without what) const { return lack_ == what; }
  static std::uint8_t name(int who) { return static_cast<std::uint8_t>(who + 1); }

  // --- what others see ---

  template <class Can>
  void drain_steps(const state& now, int i, const Can& can) const {
    if (now.actors[i].hidden != 0) {
      can("is seen to have come", [](state&, actor& me) { me.hidden = 0; });
    }
    if (now.freed == name(i)) can("is seen to have unlocked", &posix_model::drain_unlock);
  }
  static void drain_unlock(state& next, actor&) { next.owner = next.freed = 0; }

  line_state seen_by(const state& now, int i) const {
    std::uint64_t word = now.word;
    for (int other = 0; other < workers_; ++other) {
      if ((now.actors[other].hidden & bit(i)) != 0) --word;
    }
    return line_state(word);
  }

  // --- the mutex ---

  bool take(state& next, int i, posix_stage then) const {
    if (next.freed == name(i)) drain_unlock(next, next.actors[i]);  // its own store it sees
    if (next.owner != 0) return false;
    next.owner = name(i);
    next.actors[i].at = then;
    look_for_faults(next, i);
    return true;
  }

  void look_for_faults(state& next, int i) const {
    for (int other = 0; other < actors_; ++other) {
      if (other == i) continue;
      const actor& one = next.actors[other];
      if (one.at == inside || one.at == takes_name || one.at == leaves) next.wrong = 1;
      const bool comes_later = (next.actors[i].late & bit(other)) != 0;
      if (comes_later && next.actors[i].passed == 0) next.wrong = 2;
    }
  }

  // --- the line, under its lock ---

  static void lock_line(state& next, int i) {
    for (actor& each : next.actors) each.hidden &= static_cast<std::uint8_t>(~bit(i));
  }

  bool is_unlocked_unseen(const state& now) const {
    if (lacks(without::look_at_those)) return false;
    for (int i = workers_; i < actors_; ++i) {
      const bool nameless = now.name == 0 && !lacks(without::nameless_owners);
      if (now.actors[i].unseen != 0 && (nameless || now.name == name(i))) return true;
    }
    return false;
  }

  static void call_first(state& next, int i) {
    lock_line(next, i);
    if (next.line.empty()) return;
    actor& first = next.actors[next.line.first()];
    if (first.called == 0) first.called = first.heard = 1;
  }

  void take_out(state& next, int i) const {
    actor& me = next.actors[i];
    lock_line(next, i);
    next.line.remove(i);
    next.make([](line_state& real) { real.go(); });
    me.hidden = 0;
    if (me.demands == 0) return;
    next.make([](line_state& real) { real.withdraw(); });
    me.demands = 0;
    for (actor& each : next.actors) each.late &= static_cast<std::uint8_t>(~bit(i));
    if (!lacks(without::passing_demands_on)) me.called = 1;
  }

  // In the C library it is like a thread.
  static void block(actor& me) {
    me.late = 0;
    me.at = blocks;
  }

  static void end(actor& me) {
    const std::uint8_t left = me.left;
    me = {};
    me.left = left;
  }

  // --- a worker ---

  template <class Can>
  void arrival_steps(const state& now, int i, const Can& can) const {
    switch (now.actors[i].at) {
      case idle:
        if (now.actors[i].left == 0) return;
        return can(
            "comes, and looks whether anybody demands it",
            [&](state& next, actor& me) {
              --me.left;
              for (int other = 0; other < workers_; ++other) {
                if (next.actors[other].demands != 0) me.late |= bit(other);
              }
              const bool must_queue =
                  seen_by(next, i).anybody_demands() && !lacks(without::demands);
              me.at = must_queue ? enters : tries_first;
            },
            false);
      case tries_first:
        return can("tries", [&](state& next, actor& me) {
          if (!take(next, i, takes_name)) me.at = enters;
        });
      case enters:
        return can("gets in line", [&](state& next, actor&) { enter(next, i); });
      case passes_fence:
        return can("passes its fence", [&](state&, actor& me) {
          if (!lacks(without::workers_fence)) me.hidden = 0;
          me.at = lacks(without::second_try) ? waits : tries;
        });
      default:
        return;
    }
  }

  void enter(state& next, int i) const {
    actor& me = next.actors[i];
    lock_line(next, i);
    const bool must_wait = !next.line.empty() && next.actors[next.line.first()].demands != 0 &&
                           !lacks(without::demands);
    if (!must_wait && is_unlocked_unseen(next)) return block(me);
    next.line.push_back(i);
    next.make([](line_state& real) { real.come(); });
    me.hidden = static_cast<std::uint8_t>(~bit(i));
    me.at = must_wait ? waits : passes_fence;
  }

  template <class Can>
  void waiting_steps(const state& now, int i, const Can& can) const {
    const actor& self = now.actors[i];
    switch (self.at) {
      case tries:
        return can("tries again", [&](state& next, actor& me) {
          if (!take(next, i, leaves)) me.at = me.passed != 0 ? gives_up : waits;
        });
      case waits:
        return wait_steps(self, can);
      case tries_woken:
        return can("goes on and tries", [&](state& next, actor& me) {
          if (!take(next, i, leaves)) me.at = listens;
        });
      case listens:
        return can("listens again", [&](state& next, actor&) { listen_again(next, i); });
      case leaves:
        return can("leaves the line", [&](state& next, actor& me) {
          take_out(next, i);
          me.at = takes_name;
        });
      case gives_up:
        return can("gives up", [&](state& next, actor& me) {
          take_out(next, i);
          pass_on_or_end(me);
        });
      case passes_on:
        return can("calls another", [&](state& next, actor& me) {
          call_first(next, i);
          end(me);
        });
      case blocks:
        return can(
            "sees its deadline pass in the C library",
            [&](state&, actor& me) { pass_on_or_end(me); }, false);
      default:
        return;
    }
  }

  void pass_on_or_end(actor& me) const {
    if (me.called == 0 || lacks(without::passing_on)) return end(me);
    me.at = passes_on;
  }

  template <class Can>
  static void wait_steps(const actor& self, const Can& can) {
    if (self.heard != 0) {
      can("is called", [](state&, actor& me) {
        me.heard = 0;
        me.at = tries_woken;
      });
    } else {
      can(
          "wakes for another reason", [](state&, actor& me) { me.at = listens; }, false);
    }
    can(
        "sees its deadline pass",
        [](state&, actor& me) {
          me.passed = 1;
          me.at = listens;
        },
        false);
  }

  void listen_again(state& next, int i) const {
    actor& me = next.actors[i];
    lock_line(next, i);
    const int first = next.line.first();
    const bool must_wait = first != i && next.actors[first].demands != 0;
    if (must_wait && !lacks(without::demands)) {
      me.at = me.passed != 0 ? passes_fence : waits;
      return;
    }
    if (is_unlocked_unseen(next)) {
      take_out(next, i);
      return block(me);
    }
    if (me.called != 0 && me.demands == 0) {
      next.make([](line_state& real) { real.demand(); });
      me.demands = 1;
    }
    if (!lacks(without::listening_again)) me.called = 0;
    me.at = passes_fence;
  }

  // --- a thread ---

  template <class Can>
  void thread_steps(const state& now, int i, const Can& can) const {
    switch (now.actors[i].at) {
      case idle:
        if (now.actors[i].left == 0) return;
        return can(
            "comes",
            [](state&, actor& me) {
              --me.left;
              me.at = blocks;
            },
            false);
      case inside:
        return can("waits for a condition variable", [&](state&, actor& me) {
          me.at = lacks(without::announcing) ? drops_name_unseen : announces;
        });
      case announces:
        return can("announces that", [&](state& next, actor& me) {
          me.unseen = 1;
          if (!lacks(without::calling_then)) call_first(next, i);
          me.at = drops_name_unseen;
        });
      case drops_name_unseen:
        return forgets_name(can, unlocks_unseen);
      case unlocks_unseen:
        return can("unlocks it unseen", [&](state& next, actor& me) {
          next.freed = name(i);
          me.at = waits_unseen;
        });
      case waits_unseen:
        return can(
            "is signalled", [](state&, actor& me) { me.at = locks_again; }, false);
      case locks_again:
        if (now.owner != 0 && now.freed != name(i)) return;
        return can("locks it again", [&](state& next, actor&) { take(next, i, takes_name_again); });
      case takes_name_again:
        return can("writes its name", [&](state& next, actor& me) {
          next.name = name(i);
          me.at = withdraws;
        });
      case withdraws:
        return can("comes back", [](state&, actor& me) {
          me.unseen = 0;
          me.at = drops_name;
        });
      default:
        return;
    }
  }

  // --- whoever owns it ---

  template <class Can>
  static void forgets_name(const Can& can, posix_stage then) {
    can("forgets its name", [then](state& next, actor& me) {
      next.name = 0;
      me.at = then;
    });
  }

  template <class Can>
  void owner_steps(const state& now, int i, const Can& can) const {
    switch (now.actors[i].at) {
      case blocks:
        if (now.owner != 0 && now.freed != name(i)) return;
        return can("locks it in the C library",
                   [&](state& next, actor&) { take(next, i, takes_name); });
      case takes_name:
        return can("writes its name", [&](state& next, actor& me) {
          next.name = name(i);
          me.at = inside;
        });
      case inside:
        return can("begins to unlock", [](state&, actor& me) { me.at = drops_name; });
      default:
        return;
    }
  }

  template <class Can>
  void unlock_steps(const state& now, int i, const Can& can) const {
    switch (now.actors[i].at) {
      case drops_name:
        return forgets_name(can, unlocks);
      case unlocks:
        return can("unlocks", [&](state& next, actor& me) {
          next.freed = name(i);
          me.at = passes_unlock_fence;
        });
      case passes_unlock_fence:
        return can("passes its fence", [&](state& next, actor& me) {
          if (next.freed == name(i) && !lacks(without::unlockers_fence)) drain_unlock(next, me);
          me.at = looks;
        });
      case looks:
        return can("looks whether anybody waits", [&](state& next, actor& me) {
          end(me);
          if (seen_by(next, i).anybody()) me.at = calls;
        });
      case calls:
        return can("calls the first", [&](state& next, actor& me) {
          call_first(next, i);
          end(me);
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
  return [lack](int workers, int threads, const char* until = "") {
    return explore(posix_model(workers, threads, lack), until);
  };
}

TEST(posix_mutex_model, forgets_no_worker_and_has_one_owner) {
  expect_ok("ours", {{1, 1}, {2, 0}, {2, 1}, {3, 0}, {1, 2}}, in_variant(without::none));
}

TEST(posix_mutex_model, needs_a_second_try) {
  expect_fault("waits at once", {2, 0}, "lost", in_variant(without::second_try));
}

TEST(posix_mutex_model, needs_a_fence_in_the_worker) {
  expect_fault("no fence in the worker", {2, 0}, "lost", in_variant(without::workers_fence));
}

TEST(posix_mutex_model, needs_a_fence_in_whoever_unlocks) {
  expect_fault("no fence in who unlocks", {2, 0}, "lost", in_variant(without::unlockers_fence));
}

TEST(posix_mutex_model, needs_workers_that_listen_again) {
  expect_fault("stays called", {3, 0}, "lost", in_variant(without::listening_again));
}

TEST(posix_mutex_model, needs_calls_that_are_passed_on) {
  expect_fault("gives up silently", {3, 0}, "lost", in_variant(without::passing_on));
}

TEST(posix_mutex_model, needs_demands_that_are_passed_on) {
  expect_fault("demands, gives up silently", {2, 1}, "lost",
               in_variant(without::passing_demands_on));
}

TEST(posix_mutex_model, needs_demands) {
  expect_fault("no look for demands", {3, 0}, "overtaken", in_variant(without::demands));
}

TEST(posix_mutex_model, needs_waits_of_threads_that_are_announced) {
  expect_fault("waits unseen", {1, 1}, "lost", in_variant(without::announcing));
}

TEST(posix_mutex_model, needs_a_call_with_that) {
  expect_fault("announces, calls nobody", {1, 1}, "lost", in_variant(without::calling_then));
}

TEST(posix_mutex_model, needs_workers_that_look_for_that) {
  expect_fault("workers do not look", {1, 1}, "lost", in_variant(without::look_at_those));
}

TEST(posix_mutex_model, needs_a_look_at_owners_without_a_name) {
  expect_fault("a name is looked for", {1, 1}, "lost", in_variant(without::nameless_owners));
}

}  // namespace
}  // namespace umcg::model
