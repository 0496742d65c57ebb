// SPDX-License-Identifier: MIT

// A worker that has a server against watchers that may take it away (libumcg/claim_state.hpp,
// kernel/usermode/watch.cpp). The worker computes, blocks its carrier, enters the library and
// leaves it, blocks inside it as well, and goes on at another carrier. Each watcher looks at
// carrier 0: it doubts the worker that it has seen there, looks whether the carrier sleeps, whether
// it is still that worker, and how deep that is inside the library, and takes the server or trusts
// the worker. Instead of finding the carrier asleep it may have every thread pass a barrier; and it
// may doubt a worker anew that the other watcher doubts already. On the real claim_state.
//
// Stores of the worker wait in a buffer and reach memory some time later, at the latest when its
// carrier goes to sleep; its loads do not wait for them.
//
// Faults: "two owners": the server goes on elsewhere and the worker uses it too. "another's": the
// worker had gone on at another carrier, with another server. "stuck": the worker cannot go on.

#include <array>
#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "libumcg/claim_state.hpp"
#include "model/explorer.hpp"
#include "model/recall_world.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

enum class lacks : std::uint8_t {
  nothing,
  look_after_doubt,  // the watcher looks whether the carrier sleeps, then doubts
  look_for_worker,   // it does not look whether it is still that worker
  look_for_depth,    // nor how deep that is inside the library
  switches,          // nor whether others have been there meanwhile
  look_on_entry,     // the worker does not look when it enters
  barrier,           // a watcher that does not wait for sleep does without the barrier too
  numbers            // a worker that is kept has the number that it had before
};

enum worker_place : std::uint8_t { outside, asleep, entering, inside, asleep_inside, comes_back };
enum watcher_stage : std::uint8_t { watches, wants, doubts, has_seen, saw_depth, is_sure };
enum claim : std::uint8_t { own, doubted, taken };

struct watcher_part {
  std::uint8_t stage;
  std::uint8_t token;
  std::uint8_t switches;  // of the carrier, when it saw the worker
  auto operator<=>(const watcher_part&) const = default;
};

struct claim_scene {
  std::uint8_t claim;
  std::uint8_t number;
  std::uint8_t place;
  std::uint8_t stored_depth;  // what others read
  std::uint8_t depth;         // what the worker has stored last
  std::uint8_t carrier;
  std::uint8_t switches;  // of carrier 0
  std::uint8_t steps_left;
  std::uint8_t looks_left;
  std::uint8_t wrong;
  std::array<watcher_part, 2> watchers;
  auto operator<=>(const claim_scene&) const = default;
};

class claim_world {
 public:
  using state = claim_scene;

  explicit claim_world(lacks lack) : lack_(lack) {}

  state initial() const {
    return {own, 0, outside, 0, 0, 0, 0, worker_steps, watcher_looks, 0, {}};
  }
  state canonical(const state& now) const { return now; }
  const char* fault(const state& now) const {
    return now.wrong == 1 ? "two owners" : now.wrong == 2 ? "another's" : nullptr;
  }
  const char* fault_at_rest(const state& now) const {
    return now.place == outside && now.steps_left == 0 ? nullptr : "stuck";
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const char* actor, int number, const char* action, auto change) {
      state next = now;
      change(next);
      visit(step{actor, number, action}, next);
    };
    if (now.stored_depth != now.depth) {
      can("the worker's store", 0, "reaches memory", drain);
    }
    worker_steps_of(now, can);
    for (int number = 0; number < 2; ++number) watcher_steps_of(now, number, can);
  }

 private:
  static constexpr std::uint8_t worker_steps = 9;
  static constexpr std::uint8_t watcher_looks = 3;

  using real = libumcg::claim_state;

  // The real class, where the model has its word; the token that it gives for a doubt is the word.
  static std::uint64_t put_at(const state& now, real& claim) {
    for (int number = 0; number < now.number; ++number) {
      claim.doubt();
      claim.keep();
    }
    if (now.claim == own) return 0;
    const std::uint64_t token = claim.doubt();
    if (now.claim == taken) claim.take(token);
    return token;
  }
  static std::uint64_t token_of(std::uint8_t number) {
    real claim;
    state at{};
    at.number = number;
    at.claim = doubted;
    return put_at(at, claim);
  }

  static void drain(state& next) { next.stored_depth = next.depth; }
  static void fall_asleep(state& next, worker_place where) {
    drain(next);
    next.place = where;
  }

  template <class Can>
  void worker_steps_of(const state& now, const Can& can) const {
    const auto may = [&](const char* action, auto change) {
      can("the worker", 0, action, [&](state& next) {
        --next.steps_left;
        change(next);
      });
    };
    switch (now.place) {
      case outside:
        if (now.steps_left == 0) return;
        may("blocks its carrier", [](state& next) { fall_asleep(next, asleep); });
        return may("enters the library", [](state& next) {
          next.depth = 1;
          next.place = entering;
        });
      case asleep:
        return can("the worker", 0, "goes on", [](state& next) { next.place = outside; });
      case entering:
        return can("the worker", 0, "looks at its claim", [&](state& next) { settle(next); });
      case inside:
        can("the worker", 0, "leaves the library", [](state& next) {
          next.depth = 0;
          next.place = outside;
        });
        if (now.steps_left == 0) return;
        may("blocks inside the library", [](state& next) { fall_asleep(next, asleep_inside); });
        return may("goes on at the other carrier", [](state& next) {
          drain(next);
          next.carrier = next.carrier == 0 ? 1 : 0;
          ++next.switches;
        });
      case asleep_inside:
        return can("the worker", 0, "goes on", [](state& next) { next.place = inside; });
      default:
        return can("the worker", 0, "comes back", [](state& next) {
          drain(next);
          real claim;
          put_at(next, claim);
          claim.renew();
          next.claim = own;
          ++next.number;
          if (next.carrier == 0) ++next.switches;
          next.carrier = 1;
          next.place = inside;
        });
    }
  }

  void settle(state& next) const {
    next.place = inside;
    if (lack_ == lacks::look_on_entry) {
      if (next.claim == taken) next.wrong = 1;
      return;
    }
    real claim;
    put_at(next, claim);
    if (!claim.is_disputed()) return;
    if (!claim.keep()) {
      next.place = comes_back;
      return;
    }
    next.claim = own;
    if (lack_ != lacks::numbers) ++next.number;
  }

  static bool carrier_sleeps(const state& now) {
    // With somebody else on it, it may.
    return now.carrier != 0 || now.place == asleep || now.place == asleep_inside;
  }

  template <class Can>
  void watcher_steps_of(const state& now, int number, const Can& can) const {
    const auto at = static_cast<std::size_t>(number);
    const auto does = [&](const char* action, auto change) {
      can("watcher", number, action, [&](state& next) { change(next, next.watchers[at]); });
    };
    switch (now.watchers[at].stage) {
      case watches:
        if (now.looks_left == 0 || now.carrier != 0) return;
        return does("sees the worker", [&](state& next, watcher_part& self) {
          --next.looks_left;
          self.stage = wants;
          self.switches = next.switches;
          if (lack_ == lacks::look_after_doubt && !carrier_sleeps(next)) self.stage = watches;
        });
      case wants:
        does("doubts anew", [](state& next, watcher_part& self) { doubt_anew(next, self); });
        return does("doubts", [](state& next, watcher_part& self) { doubt(next, self); });
      case doubts:
        does("has all pass a barrier", [&](state& next, watcher_part& self) {
          if (lack_ != lacks::barrier) drain(next);
          self.stage = has_seen;
        });
        return does("looks at the carrier", [&](state& next, watcher_part& self) {
          const bool asleep = lack_ == lacks::look_after_doubt || carrier_sleeps(next);
          self.stage = has_seen;
          if (!asleep) trust(next, self);
        });
      case has_seen:
        return does("looks how deep the worker is", [&](state& next, watcher_part& self) {
          const bool out = lack_ == lacks::look_for_depth || next.stored_depth == 0;
          self.stage = saw_depth;
          if (!out) trust(next, self);
        });
      case saw_depth:
        return does("looks for the worker", [&](state& next, watcher_part& self) {
          const bool there = lack_ == lacks::look_for_worker || next.carrier == 0;
          const bool alone = lack_ == lacks::look_for_worker || lack_ == lacks::switches ||
                             next.switches == self.switches;
          self.stage = is_sure;
          if (!there || !alone) trust(next, self);
        });
      default:
        return does("takes the server", [&](state& next, watcher_part& self) { take(next, self); });
    }
  }

  static void doubt(state& next, watcher_part& self) {
    real claim;
    put_at(next, claim);
    self.stage = watches;
    if (claim.doubt() == 0) return;
    next.claim = doubted;
    self = {doubts, next.number, self.switches};
  }

  static void doubt_anew(state& next, watcher_part& self) {
    real claim;
    put_at(next, claim);
    self.stage = watches;
    if (claim.doubt_anew() == 0) return;
    next.claim = doubted;
    self = {doubts, ++next.number, self.switches};
  }

  static void trust(state& next, watcher_part& self) {
    real claim;
    put_at(next, claim);
    claim.trust(token_of(self.token));
    // Whether it was this doubt shows in that it is none any more.
    if (!claim.is_disputed() && next.claim == doubted) {
      next.claim = own;
      ++next.number;
    }
    self = {};
  }

  static void take(state& next, watcher_part& self) {
    real claim;
    put_at(next, claim);
    const bool took = claim.take(token_of(self.token));
    self = {};
    if (!took) return;
    next.claim = taken;
    if (next.place == inside || next.place == asleep_inside) next.wrong = 1;
    if (next.carrier != 0) next.wrong = 2;
  }

  lacks lack_;
};

auto explored(lacks lack) {
  return [lack](int, int, const char* until = "") { return explore(claim_world(lack), until); };
}

TEST(claim_model, gives_a_server_one_owner) {
  expect_ok("a worker and two watchers", {{1, 1}}, explored(lacks::nothing));
}

TEST(claim_model, needs_a_look_after_the_doubt) {
  expect_fault("look, then doubt", {1, 1}, "two owners", explored(lacks::look_after_doubt));
}

TEST(claim_model, needs_a_look_for_the_worker) {
  expect_fault("no look for the worker", {1, 1}, "another's", explored(lacks::look_for_worker));
}

TEST(claim_model, needs_a_look_for_switches) {
  expect_fault("no look for switches", {1, 1}, "two owners", explored(lacks::switches));
}

TEST(claim_model, needs_a_look_for_the_depth) {
  expect_fault("no look for the depth", {1, 1}, "two owners", explored(lacks::look_for_depth));
}

TEST(claim_model, needs_a_worker_that_looks) {
  expect_fault("no look on entry", {1, 1}, "two owners", explored(lacks::look_on_entry));
}

TEST(claim_model, needs_a_barrier_where_the_worker_computes) {
  expect_fault("no barrier", {1, 1}, "two owners", explored(lacks::barrier));
}

TEST(claim_model, needs_numbers) {
  expect_fault("the same number again", {1, 1}, "two owners", explored(lacks::numbers));
}

// What becomes of a worker that has lost its server and computes: recall_world.hpp.

auto explored(recall_without lack) {
  return [lack](int, int, const char* until = "") { return explore(recall_world(lack), until); };
}

TEST(recall_model, brings_every_worker_back_that_computes) {
  expect_ok("two workers and the monitor", {{1, 2}}, explored(recall_without::nothing));
}

TEST(recall_model, needs_carriers_that_are_noted) {
  expect_fault("no note", {1, 2}, "beside", explored(recall_without::noting));
}

TEST(recall_model, needs_a_second_look_before_one_is_forgotten) {
  expect_fault("no second look", {1, 2}, "beside", explored(recall_without::second_look));
}

TEST(recall_model, needs_a_look_for_the_last_signal) {
  expect_fault("no such look", {1, 2}, "too many", explored(recall_without::pending_look));
}

TEST(recall_model, needs_another_signal_when_one_was_in_vain) {
  expect_fault("one signal", {1, 2}, "beside", explored(recall_without::second_recall));
}

TEST(recall_model, needs_a_look_for_the_depth) {
  expect_fault("no look for the depth", {1, 2}, "torn", explored(recall_without::depth));
}

TEST(recall_model, needs_a_look_at_the_claim) {
  expect_fault("no look at the claim", {1, 2}, "left", explored(recall_without::claim));
}

}  // namespace
}  // namespace umcg::model
