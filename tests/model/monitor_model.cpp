// SPDX-License-Identifier: MIT

// Servers that park and go on against the monitor, which sleeps while all are parked
// (kernel/usermode/watch_state.hpp, monitor.cpp). On the real monitor_state.
//
// Fault: "unwatched": a server goes on beside a monitor that sleeps, and nobody is going to wake
// that.

#include <array>
#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "kernel/usermode/watch_state.hpp"
#include "model/explorer.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

enum class lacks : std::uint8_t {
  nothing,
  second_look,     // the monitor looks at the servers, then says that it sleeps
  saying_so_first  // a server looks at the monitor, then says that it is parked no more
};

enum monitor_stage : std::uint8_t { ticks, has_looked, has_said, sleeps };
enum server_stage : std::uint8_t { parked, has_looked_first, has_gone_on, runs };

struct monitor_scene {
  std::uint8_t word;
  std::uint8_t stage;
  std::uint8_t looked_at;
  std::uint8_t woken;
  std::uint8_t parks_left;
  std::array<std::uint8_t, 2> servers;
  std::array<std::uint8_t, 2> says_parked;
  auto operator<=>(const monitor_scene&) const = default;
};

class monitor_world {
 public:
  using state = monitor_scene;
  using real = kernel::usermode::monitor_state;

  explicit monitor_world(lacks lack) : lack_(lack) {}

  state initial() const { return {real::awake, ticks, 0, 0, 3, {runs, runs}, {}}; }
  state canonical(const state& now) const { return now; }
  const char* fault(const state& /*now*/) const { return nullptr; }
  const char* fault_at_rest(const state& now) const {
    const bool any_runs = now.servers[0] == runs || now.servers[1] == runs;
    return now.stage == sleeps && any_runs ? "unwatched" : nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const char* actor, int number, const char* action, auto change,
                         bool promised = true) {
      state next = now;
      change(next);
      visit(step{actor, number, action, -1, promised}, next);
    };
    monitor_steps(now, can);
    for (int number = 0; number < 2; ++number) server_steps(now, number, can);
  }

 private:
  static void put_at(const state& now, real& word) {
    if (now.word == real::asleep) word.fall_asleep();
  }
  static std::uint8_t word_of(const real& word) {
    return static_cast<std::uint8_t>(word.sleeps() ? real::asleep : real::awake);
  }
  static bool all_parked(const state& now) {
    return now.says_parked[0] != 0 && now.says_parked[1] != 0;
  }

  template <class Can>
  void monitor_steps(const state& now, const Can& can) const {
    switch (now.stage) {
      case ticks:
        if (!all_parked(now)) return;
        return can("the monitor", 0, "finds all parked", [&](state& next) {
          if (lack_ != lacks::second_look) next.word = real::asleep;
          next.stage = lack_ == lacks::second_look ? has_said : has_looked;
          next.looked_at = 0;
        });
      case has_looked:  // at one server at a time
        return can("the monitor", 0, "looks at a server once more", [](state& next) {
          if (next.says_parked[next.looked_at] == 0) {
            real word;
            put_at(next, word);
            word.stay_awake();
            next.word = word_of(word);
            next.stage = ticks;
          } else if (++next.looked_at == 2) {
            next.stage = has_said;
          }
        });
      case has_said:
        return can("the monitor", 0, "goes to sleep", [&](state& next) {
          if (lack_ == lacks::second_look) next.word = real::asleep;
          next.stage = next.word == real::asleep ? sleeps : ticks;
        });
      default:
        if (now.woken == 0) return;
        return can("the monitor", 0, "is woken", [](state& next) {
          next.woken = 0;
          if (next.word != real::asleep) next.stage = ticks;
        });
    }
  }

  template <class Can>
  void server_steps(const state& now, int number, const Can& can) const {
    const auto at = static_cast<std::size_t>(number);
    const auto rouse = [](state& next) {
      real word;
      put_at(next, word);
      if (word.rouse()) next.woken = 1;
      next.word = word_of(word);
    };
    switch (now.servers[at]) {
      case runs:
        if (now.parks_left == 0) return;
        return can(
            "server", number, "parks",
            [at](state& next) {
              --next.parks_left;
              next.says_parked[at] = 1;
              next.servers[at] = parked;
            },
            false);
      case parked:
        return can(
            "server", number, "goes on",
            [&, at](state& next) {
              if (lack_ == lacks::saying_so_first) {
                rouse(next);
                next.servers[at] = has_looked_first;
              } else {
                next.says_parked[at] = 0;
                next.servers[at] = has_gone_on;
              }
            },
            false);
      case has_gone_on:
        return can("server", number, "looks at the monitor", [&, at](state& next) {
          rouse(next);
          next.servers[at] = runs;
        });
      default:
        return can("server", number, "says that it goes on", [at](state& next) {
          next.says_parked[at] = 0;
          next.servers[at] = runs;
        });
    }
  }

  lacks lack_;
};

auto explored(lacks lack) {
  return [lack](int, int, const char* until = "") { return explore(monitor_world(lack), until); };
}

TEST(monitor_model, watches_every_server_that_runs) {
  expect_ok("two servers and the monitor", {{2, 1}}, explored(lacks::nothing));
}

TEST(monitor_model, needs_a_second_look) {
  expect_fault("no second look", {2, 1}, "unwatched", explored(lacks::second_look));
}

TEST(monitor_model, needs_servers_that_say_so_first) {
  expect_fault("look, then say so", {2, 1}, "unwatched", explored(lacks::saying_so_first));
}

}  // namespace
}  // namespace umcg::model
