// SPDX-License-Identifier: MIT

// The home of a server, its own kernel thread, against the server that comes and goes
// (kernel/usermode/carrier.cpp): a worker blocks there and the server goes on elsewhere; the worker
// leaves, and the home rests until it is called; a later hand-off takes the server there again, or
// the server wants to go home because it unregisters. On the real carrier_state, whose moves are
// one step each: what follows a failed exchange in one of them nobody else can do meanwhile.
//
// Faults: "lost": the server is on its way home, the home rests, and nothing is going to happen.
// "astray": the home goes on with somebody who is not on the way.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "kernel/usermode/carrier_state.hpp"
#include "model/explorer.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

enum class lacks : std::uint8_t {
  nothing,
  looking_for_a_wish,   // a home that is free rests although its server wants it
  looking_for_rest,     // a server that wants its home does not look whether that rests
  naming_before_a_wish  // the server says that it wants the home before it says who it is
};

enum word_of_home : std::uint8_t { busy, available, wanted };
enum home_stage : std::uint8_t { hosts_worker, is_left, rests, hosts_server };
enum server_stage : std::uint8_t {
  elsewhere,
  taking,   // at a hand-off: is its home free?
  wishing,  // has named itself and says that it wants its home
  naming,   // or the other way round
  calling,  // ends the home's rest
  on_the_way,
  at_home,
  ended
};

struct carrier_scene {
  std::uint8_t word;
  std::uint8_t home;
  std::uint8_t server;
  std::uint8_t named;   // the home's `next` is the server
  std::uint8_t called;  // the home's rest ends
  std::uint8_t moves_left;
  std::uint8_t wrong;
  auto operator<=>(const carrier_scene&) const = default;
};

class carrier_home {
 public:
  using state = carrier_scene;

  explicit carrier_home(lacks lack) : lack_(lack) {}

  state initial() const { return {busy, hosts_server, at_home, 0, 0, hand_offs_max, 0}; }
  state canonical(const state& now) const { return now; }
  const char* fault(const state& now) const { return now.wrong != 0 ? "astray" : nullptr; }
  const char* fault_at_rest(const state& now) const {
    return now.server == ended ? nullptr : "lost";
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const char* actor, const char* action, auto change) {
      state next = now;
      change(next);
      visit(step{actor, 0, action}, next);
    };
    home_steps(now, can);
    server_steps(now, can);
  }

 private:
  static constexpr std::uint8_t hand_offs_max = 4;

  // The real class, where the model has its word.
  static kernel::usermode::carrier_state& put_at(std::uint8_t word,
                                                 kernel::usermode::carrier_state& real) {
    if (word == available) real.become_available();
    if (word == wanted) real.want();
    return real;
  }

  template <class Can>
  void home_steps(const state& now, const Can& can) const {
    if (now.home == hosts_worker) {
      can("home", "is left by its worker", [](state& next) { next.home = is_left; });
    } else if (now.home == is_left) {
      can("home", "says that it is free", [&](state& next) { become_free(next); });
    } else if (now.home == rests && now.called != 0) {
      can("home", "is called", [](state& next) {
        next.called = 0;
        go_on(next);
      });
    }
  }

  void become_free(state& next) const {
    if (lack_ == lacks::looking_for_a_wish) {
      next.word = available;
      next.home = rests;
      return;
    }
    kernel::usermode::carrier_state real;
    const bool free = put_at(next.word, real).become_available();
    next.word = free ? available : busy;
    if (free) {
      next.home = rests;
    } else {
      go_on(next);
    }
  }

  static void go_on(state& next) {
    if (next.named == 0 || next.server == elsewhere || next.server == at_home) next.wrong = 1;
    next.named = 0;
    next.home = hosts_server;
    next.server = at_home;
  }

  template <class Can>
  void server_steps(const state& now, const Can& can) const {
    switch (now.server) {
      case at_home:
        if (now.moves_left == 0) {
          return can("server", "ends at home", [](state& next) { next.server = ended; });
        }
        return can("server", "goes on elsewhere: its worker blocks", [](state& next) {
          --next.moves_left;
          next.home = hosts_worker;
          next.server = elsewhere;
        });
      case elsewhere:
        if (now.moves_left != 0) {
          can("server", "has another worker that blocks", [](state& next) {
            --next.moves_left;
            next.server = taking;
          });
        }
        return can("server", "is to go home", [&](state& next) {
          next.moves_left = 0;
          const bool names_first = lack_ != lacks::naming_before_a_wish;
          next.named = names_first ? 1 : 0;
          next.server = wishing;
        });
      case taking:
        return can("server", "takes its home if that is free", [](state& next) { take(next); });
      case wishing:
        return can("server", "says that it wants its home", [&](state& next) { wish(next); });
      case naming:
        return can("server", "says who it is", [](state& next) {
          next.named = 1;
          next.server = on_the_way;
        });
      case calling:
        return can("server", "calls its home", [](state& next) {
          next.named = 1;
          next.called = 1;
          next.server = on_the_way;
        });
      default:
        return;
    }
  }

  static void take(state& next) {
    kernel::usermode::carrier_state real;
    if (!put_at(next.word, real).take()) {
      next.server = elsewhere;
      return;
    }
    next.word = busy;
    next.server = calling;
  }

  void wish(state& next) const {
    kernel::usermode::carrier_state real;
    const bool is_free = lack_ != lacks::looking_for_rest && put_at(next.word, real).want();
    next.word = is_free ? busy : wanted;
    next.server = is_free ? calling : (next.named != 0 ? on_the_way : naming);
  }

  lacks lack_;
};

auto explored(lacks lack) {
  return [lack](int, int, const char* until = "") { return explore(carrier_home(lack), until); };
}

const std::vector<size> one_server{{1, 1}};

TEST(carrier_model, brings_every_server_home) {
  expect_ok("a home and its server", one_server, explored(lacks::nothing));
}

TEST(carrier_model, needs_a_home_that_looks_for_a_wish) {
  expect_fault("no look for a wish", {1, 1}, "lost", explored(lacks::looking_for_a_wish));
}

TEST(carrier_model, needs_a_server_that_looks_whether_its_home_rests) {
  expect_fault("no look for rest", {1, 1}, "lost", explored(lacks::looking_for_rest));
}

TEST(carrier_model, needs_a_name_before_a_wish) {
  expect_fault("wish, then name", {1, 1}, "astray", explored(lacks::naming_before_a_wish));
}

}  // namespace
}  // namespace umcg::model
