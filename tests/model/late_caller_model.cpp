// SPDX-License-Identifier: MIT

// Callers that are late: between what they have read of a task and their move of its state word the
// task may unregister, its thread may register as something else (the id stays the same) or end,
// and another thread may get the slot (B30 to B32, B43). Every interleaving of umcg_wake(),
// umcg_run_worker() and umcg_preempt_worker(), a step for each access, with up to three lives of
// the slot, as a basic task or as a worker of one of two groups; on the real state word. And of
// steal() with a server that goes to another group.
//
// Faults: "stranger": a move was made on a task that the id or the caller's checks do not mean.
// "lost": a worker is running by its word and nobody executes it. "astray": a task that is no
// worker is published.

#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/state_word.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

using real = state_word::real;

// What the caller's move compares, besides the place.
enum class compares : std::uint8_t {
  nothing,
  generations,    // of the id, in moves that take one: it changes when a thread ends
  registrations,  // a number that the caller reads before all else, and that begin() changes
};
enum class between : std::uint8_t { threads_end, threads_register_again };
enum class calling : std::uint8_t { wake, run, preempt };

enum kind_of_task : std::uint8_t { no_kind, basic, worker };
enum caller_stage : std::uint8_t {
  reads_registration,
  checks_registered,  // generation and kind
  checks_current,     // generation again: task_reference::current()
  reads_kind,
  moves,          // its move of the word
  moves_waiting,  // and that of a worker that waits
  finished,
};
enum wrong_kind : std::uint8_t { nothing_wrong, stranger, lost, astray };

struct slot_of_task {
  state_word word;
  std::uint8_t generation;
  std::uint8_t registration;
  std::uint8_t kind;
  std::uint8_t group;  // 0 or 1, of a worker
  std::uint8_t executed;
  std::uint8_t listed;
  std::uint8_t lives_left;
  std::uint8_t caller;
  std::uint8_t known_registration;
  std::uint8_t known_kind;
  std::uint8_t wrong;
  std::uint8_t begins;  // it has been filled in, and its word is still none
  auto operator<=>(const slot_of_task&) const = default;
};

struct late_rules {
  calling call;
  compares what;
  between lives;
};

class late_caller {
 public:
  using state = slot_of_task;

  late_caller(int lives, const late_rules& rules) : lives_(lives), rules_(rules) {}

  state initial() const {
    state first{};
    first.lives_left = static_cast<std::uint8_t>(lives_);
    if (!reads_first()) first.caller = checks_registered;
    return first;
  }

  state canonical(const state& now) const { return now; }
  const char* fault(const state& now) const {
    static constexpr const char* words[] = {nullptr, "stranger", "lost", "astray"};
    return words[now.wrong];
  }
  const char* fault_at_rest(const state&) const { return nullptr; }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto owner = [&](const char* action, auto change) {
      state next = now;
      change(next);
      visit(step{"task", 0, action, -1, false}, next);
    };
    const auto caller = [&](const char* action, auto change) {
      state next = now;
      change(next);
      visit(step{"caller", 0, action}, next);
    };
    if (now.word.bits == 0) {
      unregistered_steps(now, owner);
    } else if (now.kind == basic) {
      basic_steps(now, owner);
    } else {
      worker_steps(now, owner);
    }
    caller_steps(now, caller);
  }

 private:
  bool reads_first() const { return rules_.what == compares::registrations; }

  // The number that begin() puts into the word, and the one that a caller's move compares.
  std::uint64_t number_in_word(const state& now) const {
    return reads_first() ? now.registration : now.generation + 1U;
  }
  std::uint64_t number_of_caller(const state& now) const {
    if (rules_.what == compares::nothing) return now.generation + 1U;
    return reads_first() ? now.known_registration : 1;
  }

  template <class Owner>
  void unregistered_steps(const state& now, const Owner& owner) const {
    const auto becomes = [&](const char* action, kind_of_task kind, std::uint8_t group) {
      owner(action, [=](state& next) {
        next.kind = kind;
        next.group = group;
        next.begins = 1;
      });
    };
    if (now.kind != no_kind) return begin_or_leave(now, owner);
    if (now.lives_left == 0) return;
    becomes("is to be a basic task", basic, 0);
    becomes("is to be a worker of group 0", worker, 0);
    becomes("is to be a worker of group 1", worker, 1);
  }

  template <class Owner>
  void begin_or_leave(const state& now, const Owner& owner) const {
    if (now.begins != 0) {
      return owner("begins", [&](state& next) {
        next.begins = 0;
        ++next.registration;
        --next.lives_left;
        next.executed = next.kind == basic ? 1 : 0;
        next.listed = next.kind == worker ? 1 : 0;
        next.word = state_word::at(next.kind == basic ? real::running : real::listed);
      });
    }
    owner("is unregistered", [&](state& next) {
      next.kind = no_kind;
      if (rules_.lives == between::threads_end) ++next.generation;
    });
  }

  template <class Owner>
  void basic_steps(const state& now, const Owner& owner) const {
    if (now.word.place() == real::waiting) {
      return owner("stops waiting", [](state& next) {
        next.word.make([](real& word) { return word.stop_waiting(); });
      });
    }
    owner("waits",
          [](state& next) { next.word.make([](real& word) { return word.wait_unless_woken(); }); });
    owner("ends", [](state& next) { end(next); });
  }

  static void end(state& next) {
    next.word.make([](real& word) { word.end(); });
    next.executed = 0;
  }

  // With the server of its own group.
  template <class Owner>
  void worker_steps(const state& now, const Owner& owner) const {
    switch (now.word.place()) {
      case real::listed:
        if (now.listed == 0) return;
        return owner("is taken out of the list", [](state& next) {
          next.listed = 0;
          next.word.make([](real& word) { return word.hold(); });
        });
      case real::held:
        return owner("is run by its own server", [](state& next) {
          next.executed = 1;
          next.word.make([](real& word) { return word.run_held(); });
        });
      case real::waiting:
        return owner("is woken by somebody else", [](state& next) {
          next.listed = 1;
          next.word.make([](real& word) { return word.wake(1, true); });
        });
      default:
        if (now.executed == 0) return;
        owner("waits", [](state& next) {
          next.executed = 0;
          next.listed = next.word.make([](real& word) { return word.wait_or_list(); }) ? 1 : 0;
        });
        owner("ends", [](state& next) { end(next); });
    }
  }

  template <class Caller>
  void caller_steps(const state& now, const Caller& caller) const {
    const bool wakes = rules_.call == calling::wake;
    switch (now.caller) {
      case reads_registration:
        return caller("reads the registration", [](state& next) {
          next.known_registration = next.registration;
          next.caller = checks_registered;
        });
      case checks_registered:
        return caller("checks that the task is registered", [&](state& next) {
          const bool registered = next.generation == 0 && next.kind != no_kind;
          next.caller = registered ? (wakes ? checks_current : reads_kind) : finished;
        });
      case checks_current:
        return caller("checks that the id is current", [](state& next) {
          next.caller = next.generation == 0 ? reads_kind : finished;
        });
      case reads_kind:
        return caller("reads kind and group", [&](state& next) {
          const bool fits = wakes || (next.kind == worker && next.group == 0);
          next.known_kind = next.kind;
          next.caller = fits ? moves : finished;
        });
      case moves:
        return caller("makes its move", [&](state& next) { move(next); });
      case moves_waiting:
        return caller("makes its move of a worker that waits", [&](state& next) {
          next.caller = finished;
          claim(next, [](real& word) { return word.run_waiting(); });
        });
      default:
        return;
    }
  }

  void move(state& next) const {
    next.caller = finished;
    switch (rules_.call) {
      case calling::wake:
        return wake(next);
      case calling::run:
        if (reads_first()) return run_found(next);
        if (!claim(next, [](real& word) { return word.run_held(); })) next.caller = moves_waiting;
        return;
      case calling::preempt:
        return preempt(next);
    }
  }

  void wake(state& next) const {
    using libumcg::wake_result;
    const std::uint64_t number = number_of_caller(next);
    const bool is_worker = next.known_kind == worker;
    const wake_result result = next.word.make(
        [&](real& word) { return word.wake(number, is_worker); }, number_in_word(next));
    if (result == wake_result::stale) return;
    if (next.generation != 0) next.wrong = stranger;
    if (result == wake_result::rouse && next.kind == worker) next.wrong = lost;
    if (result != wake_result::publish) return;
    if (next.kind != worker) next.wrong = astray;
    next.listed = 1;
  }

  void run_found(state& next) const {
    const std::uint64_t number = number_of_caller(next);
    claim(next, [number](real& word) { return word.run_found(number, false); });
  }

  // The moves of servers, which know whom they hold, take no number.
  template <class Move>
  bool claim(state& next, const Move& run) const {
    if (!next.word.make(run, number_in_word(next))) return false;
    if (next.generation != 0 || next.kind != worker || next.group != 0) next.wrong = stranger;
    next.executed = 1;
    return true;
  }

  void preempt(state& next) const {
    using libumcg::preempt_result;
    const std::uint64_t number = number_of_caller(next);
    const preempt_result result = next.word.make(
        [&](real& word) { return word.request_preempt(number); }, number_in_word(next));
    if (result == preempt_result::not_running) return;
    if (next.generation != 0 || next.kind != worker || next.group != 0) next.wrong = stranger;
  }

  int lives_;
  late_rules rules_;
};

// steal(): a thief of group 0 has read that a server belongs to its group, and takes from that
// server's queue. Meanwhile the server may unregister and register in group 1: its queue goes with
// its slot.
struct stolen_queue {
  std::uint8_t group;    // the server's; `none` while it is unregistered
  std::uint8_t in_slot;  // the thief's group lists it
  std::uint8_t queued;   // 1 + the group of the worker in its queue; 0: the queue is empty
  std::uint8_t thief;
  std::uint8_t wrong;
  auto operator<=>(const stolen_queue&) const = default;
};

class late_thief {
 public:
  using state = stolen_queue;

  explicit late_thief(bool asks_under_lock) : asks_under_lock_(asks_under_lock) {}

  state initial() const { return {0, 1, 0, looks, 0}; }
  state canonical(const state& now) const { return now; }
  const char* fault(const state& now) const { return now.wrong != 0 ? "stranger" : nullptr; }
  const char* fault_at_rest(const state&) const { return nullptr; }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const char* actor, const char* action, auto change) {
      state next = now;
      change(next);
      visit(step{actor, 0, action, -1, false}, next);
    };
    if (now.group != none) {
      can("server", "gets a worker into its queue",
          [](state& next) { next.queued = static_cast<std::uint8_t>(next.group + 1); });
    }
    if (now.group == 0 && now.in_slot != 0) {
      can("server", "takes itself off its group", [](state& next) { next.in_slot = 0; });
    } else if (now.group == 0) {
      can("server", "leaves its queue to the others", [](state& next) {
        next.queued = 0;
        next.group = none;
      });
    } else if (now.group == none) {
      can("server", "registers in group 1", [](state& next) { next.group = 1; });
    }
    if (now.thief == looks && now.in_slot != 0) {
      can("thief", "reads that the server is of its group",
          [](state& next) { next.thief = takes; });
    }
    if (now.thief != takes) return;
    can("thief", "takes from the queue, under its lock", [&](state& next) {
      next.thief = looks;
      if (asks_under_lock_ && next.group != 0) return;
      if (next.queued == 2) next.wrong = 1;
      next.queued = 0;
    });
  }

 private:
  static constexpr std::uint8_t none = 2;
  enum thief_stage : std::uint8_t { looks, takes };

  bool asks_under_lock_;
};

auto explored(const late_rules& rules) {
  return [=](int lives, int, const char* until = "") {
    return explore(late_caller(lives, rules), until);
  };
}

// Sizes are lives x 1.
const std::vector<size> lives{{1, 1}, {2, 1}, {3, 1}};

TEST(late_caller_model, means_nobody_else_by_an_id) {
  expect_ok("wake, threads end", lives,
            explored({calling::wake, compares::generations, between::threads_end}));
}

TEST(late_caller_model, needs_a_generation_in_the_word) {
  expect_fault("wake, no generation", {2, 1}, "stranger",
               explored({calling::wake, compares::nothing, between::threads_end}));
}

// The generation is the thread's. A thread that registers anew under the same id as something else
// is not told from what it was: so the word has a number for each registration.
TEST(late_caller_model, finds_no_fault_when_registrations_are_compared) {
  for (const between how : {between::threads_end, between::threads_register_again}) {
    for (const calling call : {calling::wake, calling::run, calling::preempt}) {
      expect_ok("registrations", lives, explored({call, compares::registrations, how}));
    }
  }
}

TEST(late_caller_model, needs_a_wake_that_tells_registrations_apart) {
  expect_fault("wake, registers again", {2, 1}, "lost",
               explored({calling::wake, compares::generations, between::threads_register_again}));
  expect_fault("wake, registers again", {2, 1}, "astray",
               explored({calling::wake, compares::generations, between::threads_register_again}));
}

TEST(late_caller_model, needs_runs_that_tell_registrations_apart) {
  expect_fault("run, threads end", {2, 1}, "stranger",
               explored({calling::run, compares::generations, between::threads_end}));
  expect_fault("run, registers again", {2, 1}, "stranger",
               explored({calling::run, compares::generations, between::threads_register_again}));
}

TEST(late_caller_model, needs_requests_that_tell_registrations_apart) {
  expect_fault(
      "preempt, registers again", {2, 1}, "stranger",
      explored({calling::preempt, compares::generations, between::threads_register_again}));
}

TEST(late_caller_model, needs_a_thief_that_asks_under_the_lock_whose_queue_it_is) {
  const auto stealing = [](bool asks) {
    return [asks](int, int, const char* until = "") { return explore(late_thief(asks), until); };
  };
  expect_ok("steals, asks under the lock", {{1, 1}}, stealing(true));
  expect_fault("steals, asks before", {1, 1}, "stranger", stealing(false));
}

}  // namespace
}  // namespace umcg::model
