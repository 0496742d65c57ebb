// SPDX-License-Identifier: MIT

// A task group whose children fail, are cancelled and end: task_group::run(), keep_exception(),
// join() and the destructor of sync/task_group.cpp, line for line, on the real task_group_state.
// Each child may fail, end, or block until it is cancelled; children begin when they like. Of the
// cancellation there is the flag, and the children whose scopes are in its list: the flag is set
// first, then everybody in the list is told, in one step for each. The count of children is that of
// a wait group, which sync_line_model is about.
//
// Faults. "lost": the joiner waits, and a child is blocked that nobody is going to end. "torn":
// join() takes an exception that is not whole, or another child writes it too. "dropped": a child
// has failed, and join() says that all is well. "blamed": the other way round. "touched": a child
// uses the task group when join() has returned.

#include <algorithm>
#include <compare>
#include <cstdint>
#include <iterator>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"
#include "model/waiting_line.hpp"
#include "umcg/sync/task_group_state.hpp"

namespace umcg::model {
namespace {

using sync::outcome;
using sync::task_group_state;

// What a variant does without. `none`: what a task group does.
enum class without : std::uint8_t {
  none,
  winning_before_storing,    // every child that fails stores its exception
  cancelling_siblings,       // the first to fail stores its exception, no more
  done_last,                 // a child is done, then stores its exception and cancels the others
  looking_after_joining,     // a child looks at the flag, then gets into the list
  telling_aborted_apart,     // a child that was cancelled has failed
  taking_when_all_are_done,  // join() looks for a failure while children run
};

enum stage : std::uint8_t {
  begins,
  listed,
  runs,
  blocked,
  failing,
  storing,
  stored,
  cancels,
  ends,
  done
};
enum wrong_kind : std::uint8_t { fine, torn, dropped, blamed, touched };
constexpr const char* wrong_words[] = {nullptr, "torn", "dropped", "blamed", "touched"};

constexpr int children_most = 3;
constexpr std::uint8_t nobody = children_most;

struct task_group_scene {
  struct child {
    std::uint8_t at;
    std::uint8_t told;  // its scope is cancelled
    std::uint8_t was_done;
    auto operator<=>(const child&) const = default;
  };

  std::uint8_t word;
  std::uint8_t flag;     // of the cancellation
  std::uint8_t in_list;  // a bit for each child's scope
  std::uint8_t to_tell;  // likewise: a canceller is at it
  std::uint8_t writer;   // who stores its exception; nobody
  std::uint8_t whole;    // there is an exception
  std::uint8_t left;     // children that are not done
  std::uint8_t failed;   // a child has failed that was not cancelled before
  std::uint8_t joined;
  std::uint8_t joins_with;  // of a variant: what join() has seen
  std::uint8_t wrong;
  child children[children_most];
  auto operator<=>(const task_group_scene&) const = default;

  template <class Move>
  auto make(const Move& move) {
    task_group_state real(static_cast<outcome>(word));
    const auto result = move(real);
    word = static_cast<std::uint8_t>(real.look());
    return result;
  }
};

class task_group_model {
 public:
  using state = task_group_scene;

  task_group_model(int children, bool may_be_cancelled, without lack)
      : children_(children), may_be_cancelled_(may_be_cancelled), lack_(lack) {}

  state initial() const {
    state first{};
    first.writer = nobody;
    first.left = static_cast<std::uint8_t>(children_);
    for (int i = 0; i < children_; ++i) first.children[i].at = begins;
    return first;
  }
  static state canonical(const state& now) { return now; }

  static const char* fault(const state& now) { return wrong_words[now.wrong]; }
  static const char* fault_at_rest(const state& now) {
    // Children may block for ever if nobody fails and nobody cancels.
    return now.joined == 0 && (now.flag != 0 || now.failed != 0) ? "lost" : nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int i = 0; i < children_; ++i) {
      const auto can = [&](const char* action, auto change, bool promised = true) {
        state next = now;
        change(next, next.children[i]);
        if (now.joined != 0) next.wrong = touched;
        visit(step{"child", i, action, -1, promised}, next);
      };
      child_steps(now, i, can);
      if ((now.to_tell & bit(i)) == 0) continue;
      state next = now;
      next.to_tell = static_cast<std::uint8_t>(next.to_tell & ~bit(i));
      if (next.children[i].at != done) next.children[i].told = 1;
      visit(step{"canceller", 0, "tells child", i}, next);
    }
    world_steps(now, visit);
  }

 private:
  using child = state::child;

  bool lacks(without what) const { return lack_ == what; }

  static void cancel(state& next) {
    if (next.flag != 0) return;
    next.flag = 1;
    next.to_tell = next.in_list;
    next.in_list = 0;
  }

  template <class Visit>
  void world_steps(const state& now, const Visit& visit) const {
    if (may_be_cancelled_ && now.flag == 0 && now.joined == 0) {
      state next = now;
      cancel(next);
      visit(step{"somebody", 0, "cancels", -1, false}, next);
    }
    if (now.joined != 0) return;
    if (lacks(without::taking_when_all_are_done) && now.joins_with == 0) {
      state next = now;
      next.joins_with = static_cast<std::uint8_t>(
          1 + static_cast<int>(next.make([](task_group_state& real) { return real.take(); })));
      visit(step{"joiner", 0, "looks"}, next);
    } else if (now.left == 0) {
      state next = now;
      join(next);
      visit(step{"joiner", 0, "joins"}, next);
    }
  }

  static void join(state& next) {
    const auto what = next.joins_with != 0
                          ? static_cast<outcome>(next.joins_with - 1)
                          : next.make([](task_group_state& real) { return real.take(); });
    next.joined = 1;
    if (what != outcome::failed && next.failed != 0) next.wrong = dropped;
    if (what == outcome::failed && next.failed == 0) next.wrong = blamed;
    if (what == outcome::failed && (next.whole == 0 || next.writer != nobody)) next.wrong = torn;
  }

  template <class Can>
  void child_steps(const state& now, int i, const Can& can) const {
    const child& self = now.children[i];
    const bool looks_first = lacks(without::looking_after_joining);
    const auto get_listed = [i](state& next) {
      // Who comes when everybody was told stays in the list, and nobody looks into it again.
      next.in_list |= bit(i);
    };
    switch (self.at) {
      case begins:
        return can(looks_first ? "looks at the flag" : "gets into the list",
                   [&](state& next, child& me) {
                     looks_first ? look(next, me) : get_listed(next);
                     me.at = listed;
                   });
      case listed:
        return can(looks_first ? "gets into the list" : "looks at the flag",
                   [&](state& next, child& me) {
                     looks_first ? get_listed(next) : look(next, me);
                     me.at = runs;
                   });
      case runs:
        can(
            "ends", [](state&, child& me) { me.at = ends; }, false);
        can(
            "fails", [](state& next, child& me) { fail(next, me); }, false);
        return can("blocks", [](state&, child& me) { me.at = blocked; });
      case blocked:
        if (self.told == 0) return;
        return can("is ended", [this](state& next, child& me) {
          if (lacks(without::telling_aborted_apart)) {
            me.at = failing;
            return;
          }
          next.make([](task_group_state& real) { return real.abort(), true; });
          me.at = ends;
        });
      default:
        return end_steps(now, i, can);
    }
  }

  static void look(const state& next, child& me) {
    if (next.flag != 0) me.told = 1;
  }

  static void fail(state& next, child& me) {
    next.failed = 1;
    me.at = failing;
  }

  void end(state& next, child& me) const {
    me.at = done;
    if (me.was_done == 0) --next.left;
  }

  template <class Can>
  void end_steps(const state& now, int i, const Can& can) const {
    switch (now.children[i].at) {
      case failing:
        return can("marks the failure", [&](state& next, child& me) {
          if (lacks(without::done_last) && me.was_done == 0) {
            me.was_done = 1;
            --next.left;
          }
          const bool first = next.make([](task_group_state& real) { return real.fail(); });
          me.at = first || lacks(without::winning_before_storing) ? storing : ends;
        });
      case storing:
        return can("begins to store its exception", [i](state& next, child& me) {
          if (next.writer != nobody) next.wrong = torn;
          next.writer = static_cast<std::uint8_t>(i);
          me.at = stored;
        });
      case stored:
        return can("has stored it", [&](state& next, child& me) {
          next.writer = nobody;
          next.whole = 1;
          me.at = lacks(without::cancelling_siblings) ? ends : cancels;
        });
      case cancels:
        return can("cancels the others", [](state& next, child& me) {
          cancel(next);
          me.at = ends;
        });
      case ends:
        return can("leaves its scope, and is done", [&](state& next, child& me) {
          next.in_list = static_cast<std::uint8_t>(next.in_list & ~bit(i));
          next.to_tell = static_cast<std::uint8_t>(next.to_tell & ~bit(i));
          end(next, me);
        });
      default:
        return;
    }
  }

  int children_;
  bool may_be_cancelled_;
  without lack_;
};

// Sizes are children x whether others may cancel.
auto in_variant(without lack) {
  return [lack](int children, int cancels, const char* until = "") {
    return explore(task_group_model(children, cancels != 0, lack), until);
  };
}

TEST(sync_task_group_model, ends_all_children_and_says_what_the_first_failure_was) {
  expect_ok("ours", {{1, 0}, {1, 1}, {2, 0}, {2, 1}, {3, 0}, {3, 1}}, in_variant(without::none));
}

TEST(sync_task_group_model, needs_children_that_win_before_they_store) {
  expect_fault("all store", {2, 0}, "torn", in_variant(without::winning_before_storing));
}

TEST(sync_task_group_model, needs_failures_that_cancel_siblings) {
  expect_fault("leaves them alone", {2, 0}, "lost", in_variant(without::cancelling_siblings));
}

TEST(sync_task_group_model, needs_children_that_are_done_last) {
  expect_fault("is done, then stores", {1, 0}, "touched", in_variant(without::done_last));
}

TEST(sync_task_group_model, needs_children_that_look_when_they_are_listed) {
  expect_fault("looks, then gets listed", {1, 1}, "lost",
               in_variant(without::looking_after_joining));
}

TEST(sync_task_group_model, needs_children_that_tell_being_cancelled_from_failing) {
  expect_fault("being cancelled is a failure", {1, 1}, "blamed",
               in_variant(without::telling_aborted_apart));
}

TEST(sync_task_group_model, needs_a_look_when_all_are_done) {
  expect_fault("looks while they run", {1, 0}, "dropped",
               in_variant(without::taking_when_all_are_done));
}

}  // namespace
}  // namespace umcg::model
