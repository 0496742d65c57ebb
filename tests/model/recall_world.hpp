// SPDX-License-Identifier: MIT
#pragma once

// Workers that have lost their servers and compute, the monitor that recalls them, and its signals,
// which may be late and find somebody else, or be taken by a worker that waits for signals
// (libumcg/claim_state.hpp, kernel/usermode/recalls.cpp, kernel/usermode/pending_signal.cpp).
// One server, two workers, three carriers: so many as it takes for a signal that comes late to find
// another worker that has lost its server, or one that has not. How a server is taken is
// claim_model's own matter; here that is one step. On the real claim_state.
//
// Faults: "beside": a worker computes without a server, and nobody is going to recall it. "too
// many": more than one signal is on its way to a carrier.
// "left": a worker that has its server is stopped. "torn": one is stopped inside of the library.
// "listed twice": a carrier is in the monitor's list, and is put there again.

#include <array>
#include <compare>
#include <cstdint>

#include "libumcg/claim_state.hpp"
#include "model/explorer.hpp"

namespace umcg::model {

enum class recall_without : std::uint8_t {
  nothing,
  noting,         // who takes a server does not note where the worker stays
  second_look,    // the monitor forgets a carrier without looking at it again
  pending_look,   // the monitor does not look whether its last signal still waits there
  second_recall,  // it recalls a worker once
  depth,          // the signal stops a worker inside of the library
  claim           // it stops one that has its server
};

struct recall_scene {
  enum place : std::uint8_t { listed, outside, asleep, entering, leaving, renewing };
  enum claim : std::uint8_t { own, taken };
  enum stage : std::uint8_t { looks, saw_none, looks_again };
  static constexpr std::uint8_t nobody = 3;

  struct worker {
    std::uint8_t place;
    std::uint8_t claim;
    std::uint8_t on;
    std::uint8_t unsent;  // the monitor is about to send it the signal
    std::uint8_t was_recalled;
    auto operator<=>(const worker&) const = default;
  };
  struct carrier {
    std::uint8_t hosts;  // a worker, or nobody
    std::uint8_t to_note;
    std::uint8_t flag;
    std::uint8_t in_list;
    std::uint8_t stage;  // of the monitor's look at it
    std::uint8_t signals;
    auto operator<=>(const carrier&) const = default;
  };

  std::array<worker, 2> workers;
  std::array<carrier, 3> carriers;
  std::uint8_t server_on;
  std::uint8_t blocks_left;
  std::uint8_t entries_left;
  std::uint8_t delays_left;
  std::uint8_t wrong;  // 0, or the number of a fault
  auto operator<=>(const recall_scene&) const = default;
};

class recall_world {
 public:
  using state = recall_scene;

  explicit recall_world(recall_without lack) : lack_(lack) {}

  state initial() const {
    state first{};
    for (auto& each : first.workers) each = {state::listed, state::own, state::nobody, 0, 0};
    for (auto& each : first.carriers) each.hosts = state::nobody;
    first.blocks_left = blocks_most;
    first.entries_left = 1;
    first.delays_left = 1;
    return first;
  }
  state canonical(const state& now) const {
    state same = now;
    sort_few(same.workers.data(), same.workers.data() + same.workers.size());
    return same.workers == now.workers ? now : swapped(now);
  }
  const char* fault(const state& now) const {
    constexpr std::array<const char*, 5> names{nullptr, "left", "torn", "too many", "listed twice"};
    return names[now.wrong];
  }
  const char* fault_at_rest(const state& now) const {
    for (const auto& each : now.workers) {
      if (each.place == state::outside && each.claim != state::own) return "beside";
    }
    return nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const char* actor, std::uint8_t number, const char* action, auto change,
                         bool promised = true) {
      state next = now;
      change(next);
      visit(step{actor, number, action, -1, promised}, next);
    };
    for (std::uint8_t number = 0; number < now.workers.size(); ++number) {
      server_steps(now, number, can);
      worker_steps(now, number, can);
      sending_steps(now, number, can);
    }
    for (std::uint8_t number = 0; number < now.carriers.size(); ++number) {
      carrier_steps(now, number, can);
      monitor_steps(now, number, can);
    }
  }

 private:
  static constexpr std::uint8_t blocks_most = 3;

  enum fault_number : std::uint8_t { none, left, torn, too_many, listed_twice };
  using real = libumcg::claim_state;

  static state swapped(const state& now) {
    state other = now;
    std::swap(other.workers[0], other.workers[1]);
    for (auto& each : other.carriers) {
      if (each.hosts != state::nobody) each.hosts = each.hosts == 0 ? 1 : 0;
    }
    return other;
  }

  // The real class, where the model has its word.
  static void put_at(const state::worker& of, real& claim) {
    if (of.claim == state::own) return;
    claim.take(claim.doubt());
  }
  static bool has_lost_server(const state::worker& who) {
    real claim;
    put_at(who, claim);
    return claim.is_taken();
  }

  // The server runs a worker on its carrier; takes it to another one when that one is asleep.
  template <class Can>
  void server_steps(const state& now, std::uint8_t number, const Can& can) const {
    const auto& worker = now.workers[number];
    const std::uint8_t at = now.server_on;
    if (worker.place == state::listed && now.carriers[at].hosts == state::nobody) {
      can("the server", 0, "runs a worker", [=](state& next) {
        next.carriers[at].hosts = number;
        auto& who = next.workers[number];
        who.on = at;
        who.place =
            static_cast<std::uint8_t>(who.claim == state::own ? state::outside : state::renewing);
      });
    }
    if (worker.place != state::asleep || worker.claim != state::own || worker.on != at) return;
    for (std::uint8_t spare = 0; spare < now.carriers.size(); ++spare) {
      if (spare == at || now.carriers[spare].hosts != state::nobody) continue;
      can("the server", 0, "is taken from the worker", [=, this](state& next) {
        real claim;
        if (claim.take(claim.doubt())) next.workers[number].claim = state::taken;
        next.carriers[at].to_note = lack_ == recall_without::noting ? 0 : 1;
        next.server_on = spare;
      });
      return;
    }
  }

  template <class Can>
  void worker_steps(const state& now, std::uint8_t number, const Can& can) const {
    const auto& worker = now.workers[number];
    const auto goes_to = [&](const char* action, state::place where) {
      can("worker", number, action, [=](state& next) { next.workers[number].place = where; });
    };
    switch (worker.place) {
      case state::outside:
        if (now.blocks_left != 0) {
          can(
              "worker", number, "blocks",
              [=](state& next) {
                --next.blocks_left;
                next.workers[number].place = state::asleep;
              },
              false);
        }
        if (now.entries_left != 0) {
          can(
              "worker", number, "enters the library",
              [=](state& next) {
                --next.entries_left;
                next.workers[number].place = state::entering;
              },
              false);
        }
        return;
      case state::asleep:
        return goes_to("goes on", state::outside);
      case state::entering:
        // One that has its server lets others have it.
        return goes_to("looks at its claim", state::leaving);
      case state::leaving:
        if (now.carriers[worker.on].to_note != 0) return;  // its departure is committed after that
        return can("worker", number, "leaves its carrier", [=](state& next) {
          auto& who = next.workers[number];
          next.carriers[who.on].hosts = state::nobody;
          who.on = state::nobody;
          who.place = state::listed;
        });
      case state::renewing:
        return can("worker", number, "renews its claim", [=](state& next) {
          auto& who = next.workers[number];
          real claim;
          put_at(who, claim);
          claim.renew();
          if (!claim.is_taken()) who.claim = state::own;
          who.was_recalled = 0;
          who.place = state::outside;
        });
      default:
        return;
    }
  }

  // The signal goes where the worker is by then.
  template <class Can>
  void sending_steps(const state& now, std::uint8_t number, const Can& can) const {
    if (now.workers[number].unsent == 0) return;
    can("the monitor", 0, "sends the signal", [=](state& next) {
      auto& who = next.workers[number];
      who.unsent = 0;
      if (who.on == state::nobody) return;
      auto& at = next.carriers[who.on];
      if (++at.signals > 1) next.wrong = too_many;
    });
  }

  template <class Can>
  void carrier_steps(const state& now, std::uint8_t number, const Can& can) const {
    const auto& carrier = now.carriers[number];
    if (carrier.to_note != 0) {
      can("carrier", number, "is noted", [=](state& next) {
        auto& at = next.carriers[number];
        at.to_note = 0;
        if (at.flag != 0) return;
        at.flag = 1;
        if (++at.in_list > 1 && at.stage != state::looks_again) next.wrong = listed_twice;
      });
    }
    if (carrier.signals == 0) return;
    if (now.delays_left != 0) {
      can(
          "carrier", number, "gets a signal in the C library, or waits for it",
          [=](state& next) {
            --next.delays_left;
            --next.carriers[number].signals;
          },
          false);
    }
    can("carrier", number, "gets a signal", [=, this](state& next) { arrive(next, number); });
  }

  void arrive(state& next, std::uint8_t number) const {
    auto& at = next.carriers[number];
    --at.signals;
    if (at.hosts == state::nobody) return;
    auto& who = next.workers[at.hosts];
    const bool is_outside = who.place == state::outside || who.place == state::asleep;
    real claim;
    put_at(who, claim);
    if (!is_outside && lack_ != recall_without::depth) return;
    if (!claim.is_taken() && lack_ != recall_without::claim) return;
    next.wrong = !is_outside ? torn : !claim.is_taken() ? left : none;
    who.place = state::leaving;
  }

  template <class Can>
  void monitor_steps(const state& now, std::uint8_t number, const Can& can) const {
    const auto& carrier = now.carriers[number];
    const bool lost = carrier.hosts != state::nobody && has_lost_server(now.workers[carrier.hosts]);
    const auto does = [&](const char* action, auto change) {
      can("the monitor", number, action, [&](state& next) { change(next.carriers[number], next); });
    };
    if (carrier.stage == state::saw_none) {
      return does("clears the flag", [](state::carrier& at, state&) {
        at.flag = 0;
        at.stage = state::looks_again;
      });
    }
    if (carrier.stage == state::looks_again) {
      return does("looks again", [&](state::carrier& at, state& next) {
        at.stage = state::looks;
        const bool stays = lost && lack_ != recall_without::second_look;
        const bool was_noted = stays && at.flag != 0;
        if (stays) at.flag = 1;
        if (!stays || was_noted) --at.in_list;
        if (at.in_list > 1) next.wrong = listed_twice;
      });
    }
    if (carrier.in_list == 0) return;
    if (!lost) {
      return does("sees none", [](state::carrier& at, state&) { at.stage = state::saw_none; });
    }
    const auto& worker = now.workers[carrier.hosts];
    if (worker.place != state::outside || worker.unsent != 0) return;
    if (carrier.signals != 0 && lack_ != recall_without::pending_look) return;
    if (worker.was_recalled != 0 && lack_ == recall_without::second_recall) return;
    can("the monitor", number, "recalls the worker", [&](state& next) {
      next.workers[carrier.hosts].unsent = 1;
      next.workers[carrier.hosts].was_recalled = lack_ == recall_without::second_recall ? 1 : 0;
    });
  }

  recall_without lack_;
};

}  // namespace umcg::model
