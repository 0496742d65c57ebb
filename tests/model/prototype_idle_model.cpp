// SPDX-License-Identifier: MIT

// The idle-server protocol that was published with the kernel patches, and a correct one for the
// same kernel, as models. The kernel pushes a worker that wakes up onto a list K, empties a slot T
// that holds at most one idle server, and wakes whom it found there. Servers take all of K into a
// list U, and wait in T or, when T is taken, in a list L; U and L have a lock. A server's state
// word says idle both while it sleeps and while a worker runs on it, so a wake that was delayed can
// hit either: the fault "late". "stranded": a worker waits, a server sleeps, and nothing is going
// to happen.
//
// Ours has neither T nor K (idle_protocol.hpp). This file shows that the explorer finds what is
// known to be wrong with a protocol of this kind.

#include <algorithm>
#include <compare>
#include <cstdint>

#include <gtest/gtest.h>

#include "model/explorer.hpp"
#include "model/verdict_table.hpp"

namespace umcg::model {
namespace {

enum server_stage : std::uint8_t {
  looking,     // takes the lock and a worker, if there is one
  chaining,    // has the lock and a worker
  arming,      // puts a server into T
  rechecking,  // looks at K again
  disarming,   // takes that server out of T again
  parking,     // puts itself into L
  rousing,     // wakes the server it took out of L
  asleep,      // until its word says running
  serving,     // runs a worker
  disturbed,   // was woken while it ran a worker
};

enum waker_stage : std::uint8_t { none_yet, published, delivering, done };

struct slot_state {
  static constexpr int most = 3;
  static constexpr std::uint8_t nobody = 0xff;

  struct server {
    std::uint8_t at;
    std::uint8_t idle;    // its state word
    std::uint8_t in_l;    // is in the list L
    std::uint8_t target;  // the server it arms or wakes
    auto operator<=>(const server&) const = default;
  };
  struct worker {
    std::uint8_t place;
    std::uint8_t waker;   // how far its wake-up in the kernel is
    std::uint8_t target;  // the server that the kernel took out of T for it
    auto operator<=>(const worker&) const = default;
  };

  static constexpr std::uint8_t byte(int value) { return static_cast<std::uint8_t>(value); }
  // A worker's place; 0 is anywhere else.
  static constexpr std::uint8_t in_k = 1;
  static constexpr std::uint8_t in_u = 2;
  static constexpr std::uint8_t with(int s) { return byte(3 + s); }

  server servers[most];
  worker workers[most];
  std::uint8_t slot;    // T
  std::uint8_t locker;  // who has the lock
  auto operator<=>(const slot_state&) const = default;

  bool any(std::uint8_t place) const {
    const auto there = [place](const worker& one) { return one.place == place; };
    return std::any_of(std::begin(workers), std::end(workers), there);
  }
};

// What the protocols share: the kernel, the faults, taking a worker under the lock.
class slot_model {
 public:
  using state = slot_state;

  slot_model(int server_count, int worker_count) : servers(server_count), workers(worker_count) {}

  state initial() const {
    state first{};
    for (state::server& one : first.servers) one.target = state::nobody;
    for (state::worker& one : first.workers) one.target = state::nobody;
    first.slot = first.locker = state::nobody;
    return first;
  }

  state canonical(state now) const {
    sort_few(now.workers, now.workers + workers);
    return now;
  }

  const char* fault(const state& now) const {
    for (const state::server& one : now.servers) {
      if (one.at == disturbed) return "late";
    }
    return nullptr;
  }

  const char* fault_at_rest(const state& now) const {
    bool sleeps = false;
    for (const state::server& one : now.servers) sleeps |= one.at == asleep;
    return (sleeps && (now.any(state::in_k) || now.any(state::in_u))) ? "stranded" : nullptr;
  }

 protected:
  // A worker wakes up in the kernel.
  template <class Visit>
  void kernel_steps(const state& now, int w, const Visit& visit) const {
    state next = now;
    state::worker& self = next.workers[w];
    switch (self.waker) {
      case none_yet:
        self.place = state::in_k;
        self.waker = published;
        return visit(step{"worker", w, "is pushed onto K", -1, false}, next);
      case published:
        self.target = next.slot;
        self.waker = (next.slot == state::nobody) ? done : delivering;
        next.slot = state::nobody;
        if (self.waker == done) return visit(step{"worker", w, "finds T empty"}, next);
        return visit(step{"worker", w, "takes out of T server", self.target}, next);
      case delivering: {
        const int s = self.target;
        self.target = state::nobody;
        self.waker = done;
        wake(next.servers[s]);
        return visit(step{"worker", w, "wakes server", s}, next);
      }
      default:
        return;
    }
  }

  static void wake(state::server& sleeper) {
    if (sleeper.idle == 0) return;
    sleeper.idle = 0;
    if (sleeper.at == serving) sleeper.at = disturbed;
  }

  // Takes K into U if U is empty; calls took(next) for every worker of U, none(next) if there is
  // none.
  template <class Took, class None>
  void take(const state& now, int s, const Took& took, const None& none) const {
    state next = now;
    if (!next.any(state::in_u)) {
      for (state::worker& one : next.workers) {
        if (one.place == state::in_k) one.place = state::in_u;
      }
    }
    if (!next.any(state::in_u)) return none(next);
    for (int w = 0; w < workers; ++w) {
      if (next.workers[w].place != state::in_u) continue;
      state with_worker = next;
      with_worker.workers[w].place = state::with(s);
      took(with_worker);
    }
  }

  static void serve(state::server& self) {
    self.at = serving;
    self.idle = 1;
  }

  int servers;
  int workers;
};

// Whom a server wakes that has taken a worker.
enum class chain : std::uint8_t { if_workers_are_left, always };

class published_protocol : public slot_model {
 public:
  published_protocol(int server_count, int worker_count, chain chains)
      : slot_model(server_count, worker_count), chains_(chains) {}

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int w = 0; w < workers; ++w) kernel_steps(now, w, visit);
    for (int s = 0; s < servers; ++s) {
      const state::server& self = now.servers[s];
      switch (self.at) {
        case looking:
          look(now, s, visit);
          break;
        case chaining:
          chain_on(now, s, visit);
          break;
        case asleep:
        case parking:
        case rousing:
          listed_steps(now, s, visit);
          break;
        default:
          slot_steps(now, s, visit);
      }
    }
  }

 private:
  template <class Visit>
  void look(const state& now, int s, const Visit& visit) const {
    if (now.locker != state::nobody) return;
    take(
        now, s,
        [&](state& next) {
          next.locker = state::byte(s);
          next.servers[s].at = chaining;
          visit(step{"server", s, "takes a worker"}, next);
        },
        [&](state& next) {
          next.servers[s].idle = 1;
          next.servers[s].at = arming;
          visit(step{"server", s, "finds no worker"}, next);
        });
  }

  template <class Visit>
  void chain_on(const state& now, int s, const Visit& visit) const {
    state unlocked = now;
    unlocked.locker = state::nobody;
    bool wakes = false;
    for (int other = 0; other < servers; ++other) {
      if (now.servers[other].in_l == 0) continue;
      if (chains_ == chain::if_workers_are_left && !now.any(state::in_u)) continue;
      wakes = true;
      state next = unlocked;
      next.servers[other].in_l = 0;
      next.servers[s].target = state::byte(other);
      next.servers[s].at = rousing;
      visit(step{"server", s, "takes out of L server", other}, next);
    }
    if (wakes) return;
    serve(unlocked.servers[s]);
    visit(step{"server", s, "runs its worker and wakes nobody"}, unlocked);
  }

  template <class Visit>
  void slot_steps(const state& now, int s, const Visit& visit) const {
    state next = now;
    state::server& self = next.servers[s];
    switch (self.at) {
      case arming:
        self.at = (now.slot == state::nobody) ? rechecking : parking;
        if (self.at == parking) return visit(step{"server", s, "finds T taken"}, next);
        next.slot = state::byte(s);
        return visit(step{"server", s, "puts itself into T"}, next);
      case rechecking:
        self.at = now.any(state::in_k) ? disarming : asleep;
        return visit(step{"server", s, self.at == asleep ? "sees K empty" : "sees a worker in K"},
                     next);
      case disarming:
        // Whether it was still in T is not looked at.
        if (next.slot == s) next.slot = state::nobody;
        self.idle = 0;
        self.at = looking;
        return visit(step{"server", s, "leaves T"}, next);
      default:
        return;
    }
  }

  template <class Visit>
  void listed_steps(const state& now, int s, const Visit& visit) const {
    state next = now;
    state::server& self = next.servers[s];
    if (self.at == parking) {
      if (now.locker != state::nobody) return;
      self.in_l = 1;
      self.at = asleep;
      visit(step{"server", s, "puts itself into L"}, next);
    } else if (self.at == rousing) {
      wake(next.servers[self.target]);
      self.target = state::nobody;
      serve(self);
      visit(step{"server", s, "wakes server and runs its worker:", now.servers[s].target}, next);
    } else if (self.idle == 0) {
      self.at = looking;
      visit(step{"server", s, "is woken"}, next);
    }
  }

  chain chains_;
};

// A server that leaves always arms the next one. Nobody sets its own word to running while its
// name may be on its way: that is left to who took it out of T or L.
class corrected_protocol : public slot_model {
 public:
  corrected_protocol(int server_count, int worker_count, bool deadlines)
      : slot_model(server_count, worker_count), deadlines_(deadlines) {}

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    for (int w = 0; w < workers; ++w) kernel_steps(now, w, visit);
    for (int s = 0; s < servers; ++s) {
      switch (now.servers[s].at) {
        case looking:
          look(now, s, visit);
          break;
        case arming:
          arm(now, s, visit);
          break;
        case asleep:
          sleep(now, s, visit);
          break;
        default:
          check_again(now, s, visit);
      }
    }
  }

 private:
  template <class Visit>
  void look(const state& now, int s, const Visit& visit) const {
    if (now.locker != state::nobody) return;
    const auto locked = [&](state& next, const char* action) {
      next.locker = state::byte(s);
      next.servers[s].at = arming;
      visit(step{"server", s, action}, next);
    };
    take(
        now, s, [&](state& next) { locked(next, "takes a worker"); },
        [&](state& next) {
          next.servers[s].idle = 1;
          next.servers[s].in_l = 1;
          locked(next, "finds no worker and puts itself into L");
        });
  }

  template <class Visit>
  void arm(const state& now, int s, const Visit& visit) const {
    bool arms = false;
    for (int other = 0; other < servers && now.slot == state::nobody; ++other) {
      if (now.servers[other].in_l == 0) continue;
      arms = true;
      state next = now;
      next.servers[other].in_l = 0;
      next.slot = state::byte(other);
      next.servers[s].target = state::byte(other);
      next.servers[s].at = rechecking;
      visit(step{"server", s, "moves from L to T server", other}, next);
    }
    if (!arms) unlock(now, s, "has nobody to move to T", visit);
  }

  template <class Visit>
  void check_again(const state& now, int s, const Visit& visit) const {
    if (now.servers[s].at == rechecking) {
      if (!now.any(state::in_k) && !now.any(state::in_u)) {
        return unlock(now, s, "sees no worker", visit);
      }
      state next = now;
      next.servers[s].at = disarming;
      return visit(step{"server", s, "sees a worker"}, next);
    }
    if (now.servers[s].at != disarming) return;
    const std::uint8_t other = now.servers[s].target;
    if (now.slot != other) return unlock(now, s, "finds T taken by the kernel", visit);
    state next = now;
    next.slot = state::nobody;
    next.servers[other].idle = 0;
    unlock(next, s, "takes out of T again and wakes that server", visit);
  }

  template <class Visit>
  void unlock(state next, int s, const char* action, const Visit& visit) const {
    next.locker = state::nobody;
    next.servers[s].target = state::nobody;
    next.servers[s].at = asleep;
    if (next.any(state::with(s))) serve(next.servers[s]);
    visit(step{"server", s, action}, next);
  }

  template <class Visit>
  void sleep(const state& now, int s, const Visit& visit) const {
    if (now.servers[s].idle == 0) {
      state next = now;
      next.servers[s].at = looking;
      return visit(step{"server", s, "is woken"}, next);
    }
    // In neither T nor L: somebody is about to wake it, and it sleeps on.
    const bool in_t = now.slot == s;
    if (!deadlines_ || now.locker != state::nobody || !(in_t || now.servers[s].in_l != 0)) return;
    state next = now;
    next.locker = state::byte(s);
    next.servers[s].in_l = 0;
    if (in_t) next.slot = state::nobody;
    next.servers[s].idle = 0;
    next.servers[s].at = arming;
    visit(step{"server", s, "reaches its deadline and leaves T or L", -1, false}, next);
  }

  bool deadlines_;
};

using row = std::vector<std::string>;

TEST(prototype_idle_model, finds_both_faults_of_the_published_protocol) {
  findings two;
  const auto find = [&](int servers, int workers) {
    findings found = explore(published_protocol(servers, workers, chain::if_workers_are_left));
    if (servers == 2 && workers == 2) two = found;
    return found;
  };
  const row found = verdicts("published", all_sizes, find);
  EXPECT_EQ(found, (row{"late", "late", "late, stranded", "late, stranded", "late, stranded",
                        "late, stranded"}));
  for (const auto& [fault, steps] : two.faults) {
    std::cout << "  2x2 " << fault << " after\n";
    print(steps);
  }
}

// The state after the steps that these lines tell.
template <class Model>
slot_state after(const Model& model, const findings::trace& lines) {
  slot_state now = model.initial();
  for (const std::string& line : lines) {
    const slot_state before = now;
    bool possible = false;
    model.steps(before, [&](const step& one, const slot_state& next) {
      if (possible || one.text() != line) return;
      possible = true;
      now = next;
    });
    EXPECT_TRUE(possible) << line;
  }
  return now;
}

TEST(prototype_idle_model, strands_a_worker_of_the_published_protocol_without_any_race) {
  const published_protocol published(2, 2, chain::if_workers_are_left);
  const slot_state end = after(
      published,
      {"server 0 finds no worker", "server 0 puts itself into T", "server 0 sees K empty",
       "server 1 finds no worker", "server 1 finds T taken", "server 1 puts itself into L",
       "worker 0 is pushed onto K", "worker 0 takes out of T server 0", "worker 0 wakes server 0",
       "server 0 is woken", "server 0 takes a worker", "server 0 runs its worker and wakes nobody",
       "worker 1 is pushed onto K", "worker 1 finds T empty"});
  bool rests = true;
  published.steps(end, [&](const step&, const slot_state&) { rests = false; });
  EXPECT_TRUE(rests);
  EXPECT_STREQ(published.fault_at_rest(end), "stranded");
}

TEST(prototype_idle_model, finds_that_to_wake_the_next_server_always_is_not_enough) {
  const auto find = [](int servers, int workers) {
    return explore(published_protocol(servers, workers, chain::always));
  };
  EXPECT_EQ(verdicts("published, always wakes the next", all_sizes, find),
            (row{"late", "late", "late, stranded", "late, stranded", "late, stranded",
                 "late, stranded"}));
}

TEST(prototype_idle_model, finds_no_fault_in_the_corrected_protocol) {
  expect_ok("corrected", all_sizes, [](int servers, int workers) {
    return explore(corrected_protocol(servers, workers, false));
  });
  expect_ok("corrected, deadlines", all_sizes, [](int servers, int workers) {
    return explore(corrected_protocol(servers, workers, true));
  });
}

}  // namespace
}  // namespace umcg::model
