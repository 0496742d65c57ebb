// SPDX-License-Identifier: MIT

// The end of a group against late wakers and workers that register (R12, B29, B30): every
// interleaving of publish() from outside, register_worker(), unregister() and
// umcg_destroy_group(). The group has a server, a worker that waits, which up to two threads
// outside wake, and a thread that becomes a worker. The server runs whom it finds in the list; a
// worker unregisters when it has been run; the server unregisters when it likes. Whoever destroys
// the group tries again and again, once the registering worker can be seen in the list.
//
// Fault "freed": somebody touches the group after it was freed, or it had a worker in its list.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/state_word.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

using real = state_word::real;

enum class without : std::uint8_t {
  nothing,
  visitors,                  // nobody counts who publishes from outside
  counting_before_the_push,  // a visitor counts itself when it has pushed
  leaving_last,              // it counts itself out before it looks for a parked server
  awaiting_visitors,         // the end of a group does not wait for them
  counting_members_first,    // a worker is counted when it has been run
  staying_until_the_end,     // a server counts itself out before it is done
};

// publish() for a caller that is none of the group's.
enum visit_stage : std::uint8_t { calls, visits, pushes, counts_late, summons, goes, done };

enum worker_place : std::uint8_t { awaits_push, in_list, is_run, over };

struct group_state {
  static constexpr int wakers_most = 2;
  static constexpr int workers = 2;  // 0 waits to begin with, 1 registers

  struct visitor {
    std::uint8_t at;
    std::uint8_t counted;
    auto operator<=>(const visitor&) const = default;
  };
  struct worker {
    state_word word;
    std::uint16_t place;
    std::uint16_t counted;  // as a member
    auto operator<=>(const worker&) const = default;
  };

  worker of[workers];
  visitor wakers[wakers_most];
  visitor registering;
  std::uint8_t members;
  std::uint8_t visiting;
  std::uint8_t server;      // the worker that it runs; `idle`, `leaving` or `gone`
  std::uint8_t destroying;  // 1: has seen no member; 2: the group is freed
  std::uint8_t freed_use;
  std::uint8_t unused;
  auto operator<=>(const group_state&) const = default;
};

constexpr std::uint8_t idle = 0xff;
constexpr std::uint8_t leaving = 0xfe;
constexpr std::uint8_t gone = 0xfd;

class group_end {
 public:
  using state = group_state;

  group_end(int wakers, without lack) : wakers_(wakers), lack_(lack) {}

  state initial() const {
    state first{};
    first.of[0].word = state_word::at(real::waiting);
    first.of[0].counted = 1;
    first.of[1].place = awaits_push;
    first.members = 2;  // the waiting worker and the server
    first.server = idle;
    for (int w = wakers_; w < state::wakers_most; ++w) first.wakers[w].at = done;
    return first;
  }

  state canonical(state now) const {
    sort_few(now.wakers, now.wakers + wakers_);
    return now;
  }

  const char* fault(const state& now) const { return now.freed_use != 0 ? "freed" : nullptr; }
  const char* fault_at_rest(const state&) const { return nullptr; }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const step& one, auto change) {
      state next = now;
      change(next);
      visit(one, next);
    };
    for (int w = 0; w < wakers_; ++w) {
      visitor_steps("waker", w, now.wakers[w].at, can,
                    [w](state& next) -> state::visitor& { return next.wakers[w]; });
    }
    visitor_steps("worker", 1, now.registering.at, can,
                  [](state& next) -> state::visitor& { return next.registering; });
    server_steps(now, can);
    end_steps(now, can);
  }

 private:
  bool lacks(without what) const { return lack_ == what; }

  static void use_group(state& next) {
    if (next.destroying == 2) next.freed_use = 1;
  }

  void count(state& next, state::visitor& me, bool in) const {
    use_group(next);
    if (lacks(without::visitors) || (me.counted != 0) == in) return;
    me.counted = in ? 1 : 0;
    next.visiting = static_cast<std::uint8_t>(next.visiting + (in ? 1 : -1));
  }

  // What has to be published is worker 0 for a waker, worker 1 for itself.
  template <class Can, class Me>
  void visitor_steps(const char* name, int number, std::uint8_t at, const Can& can,
                     const Me& me_in) const {
    const bool registers = name[1] == 'o';
    const auto does = [&](const char* action, bool promised, auto change) {
      can({name, number, action, -1, promised},
          [&](state& next) { change(next, me_in(next), next.of[registers ? 1 : 0]); });
    };
    switch (at) {
      case calls:
        if (registers) return become_worker(does);
        return does("wakes the worker", false, [](state&, auto& me, auto& worker) {
          using libumcg::wake_result;
          const auto result = worker.word.make([](real& word) { return word.wake(1, true); });
          me.at = result == wake_result::publish ? visits : done;
        });
      case visits:
        return does("counts itself in", true, [&](state& next, auto& me, auto&) {
          if (!lacks(without::counting_before_the_push)) count(next, me, true);
          me.at = pushes;
        });
      case pushes:
        return does("pushes onto the list", true, [&](state& next, auto& me, auto& worker) {
          use_group(next);
          worker.place = in_list;
          me.at = lacks(without::counting_before_the_push) ? counts_late : summons;
          if (lacks(without::leaving_last)) count(next, me, false);
        });
      case counts_late:
        return does("counts itself in late", true, [&](state& next, auto& me, auto&) {
          count(next, me, true);
          me.at = summons;
        });
      case summons:
        return does("looks for a parked server", true, [](state& next, auto& me, auto&) {
          use_group(next);
          me.at = goes;
        });
      case goes:
        return does("counts itself out", true, [&](state& next, auto& me, auto&) {
          if (!lacks(without::leaving_last)) count(next, me, false);
          me.at = done;
        });
      default:
        return;
    }
  }

  // register_worker(): the caller sees to it that the group is there when it calls.
  template <class Does>
  void become_worker(const Does& does) const {
    does("registers", false, [&](state& next, auto& me, auto& worker) {
      if (next.destroying != 0 || next.members == 0) return;
      if (!lacks(without::counting_members_first)) count_member(next, worker);
      worker.word.make([](real& word) { word.begin(real::listed); });
      me.at = visits;
    });
  }

  static void count_member(state& next, state::worker& one) {
    one.counted = 1;
    ++next.members;
  }

  template <class Can>
  void server_steps(const state& now, const Can& can) const {
    if (now.server == gone) return;
    if (now.server == leaving) {
      return can({"server", 0, "is done unregistering"}, [&](state& next) {
        use_group(next);
        if (!lacks(without::staying_until_the_end)) --next.members;
        next.server = gone;
      });
    }
    if (now.server != idle) return run_worker(now.server, can);
    for (int w = 0; w < state::workers; ++w) {
      if (now.of[w].place != in_list) continue;
      can({"server", 0, "takes and runs worker", w}, [&](state& next) {
        use_group(next);
        state::worker& found = next.of[w];
        found.word.make([](real& word) { return word.hold() && word.run_held(); });
        found.place = is_run;
        next.server = static_cast<std::uint8_t>(w);
        if (found.counted == 0) count_member(next, found);
      });
    }
    can({"server", 0, "unregisters", -1, false}, [&](state& next) {
      next.server = leaving;
      if (lacks(without::staying_until_the_end)) --next.members;
    });
  }

  // Its worker unregisters.
  template <class Can>
  void run_worker(int w, const Can& can) const {
    can({"worker", w, "ends"}, [&](state& next) {
      next.of[w].word.make([](real& word) { word.end(); });
      next.of[w].place = over;
      next.server = idle;
      use_group(next);
      --next.members;
    });
  }

  template <class Can>
  void end_steps(const state& now, const Can& can) const {
    if (now.destroying == 0 && now.members == 0 && seen_registering(now)) {
      can({"thread", 0, "destroys the group, which is empty", -1, false},
          [](state& next) { next.destroying = 1; });
    }
    const bool waits = now.visiting != 0 && !lacks(without::awaiting_visitors);
    if (now.destroying != 1 || waits) return;
    can({"thread", 0, "frees the group"}, [](state& next) {
      next.destroying = 2;
      for (const state::worker& one : next.of) {
        if (one.place == in_list || one.place == is_run) next.freed_use = 1;
      }
    });
  }

  // A thread that has not registered may still do so, and is then the caller's own mistake; one
  // whose registration can be seen must not be missed.
  static bool seen_registering(const state& now) {
    return now.registering.at == calls || now.of[1].place != awaits_push;
  }

  int wakers_;
  without lack_;
};

auto in_variant(without lack) {
  return [lack](int wakers, int, const char* until = "") {
    return explore(group_end(wakers, lack), until);
  };
}

void expect_variant(const char* protocol, without lack) {
  expect_fault(protocol, {1, 1}, "freed", in_variant(lack));
}

// Sizes are wakers x 1.

TEST(group_end_model, frees_no_group_that_somebody_uses) {
  expect_ok("ours", {{1, 1}, {2, 1}}, in_variant(without::nothing));
}

TEST(group_end_model, needs_visitors_that_are_counted) {
  expect_variant("no count of visitors", without::visitors);
}

TEST(group_end_model, needs_visitors_that_are_counted_before_they_push) {
  expect_variant("counts after the push", without::counting_before_the_push);
}

TEST(group_end_model, needs_visitors_that_are_counted_until_they_are_through) {
  expect_variant("counts until the push", without::leaving_last);
}

TEST(group_end_model, needs_an_end_that_waits_for_visitors) {
  expect_variant("waits for no visitor", without::awaiting_visitors);
}

// B29.
TEST(group_end_model, needs_members_that_are_counted_before_they_are_seen) {
  expect_variant("counts a worker that has been run", without::counting_members_first);
}

// B30.
TEST(group_end_model, needs_a_server_that_is_a_member_until_it_is_done) {
  expect_variant("counts a server out first", without::staying_until_the_end);
}

}  // namespace
}  // namespace umcg::model
