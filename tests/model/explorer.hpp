// SPDX-License-Identifier: MIT
#pragma once

// Visits every state that a small model can reach, breadth first, so that the first way found to a
// fault is a shortest one. A model is a class with
//
//   using state      a value of plain bytes without padding
//   initial()        the state to begin with
//   steps(now, visit)   calls visit(step, next) for every step that is possible now
//   canonical(now)      the same state for all that differ in names only
//   fault(now)          what is wrong: a word, or null. Such a state is not followed further
//   fault_at_rest(now)  what is wrong if nothing more is promised to happen
//
// A promised step happens sooner or later if it stays possible. The others are what the world
// outside may do but need not: nobody may count on them. A state is at rest when no promised step
// is possible. Promised steps that can follow each other for ever are a fault too: "endless".

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace umcg::model {

// Puts a handful of values into ascending order: what makes states alike that differ in names only.
template <class Value>
void sort_few(Value* first, Value* last) {
  for (Value* next = first; next != last; ++next) {
    for (Value* at = next; at != first && *at < at[-1]; --at) std::swap(*at, at[-1]);
  }
}

// Who does what: "server 1 finds nothing in queue 2".
struct step {
  const char* actor;
  int number;
  const char* action;
  int object = -1;
  bool promised = true;

  std::string text() const {
    std::string line = std::string(actor) + ' ' + std::to_string(number) + ' ' + action;
    if (object >= 0) line += ' ' + std::to_string(object);
    return line;
  }
};

struct findings {
  using trace = std::vector<std::string>;

  std::size_t states = 0;
  bool complete = true;                              // every state was visited
  std::map<std::string, trace, std::less<>> faults;  // with a shortest way to each

  // The kinds of fault in one line; "ok" when there is none.
  std::string verdict() const {
    std::string line;
    for (const auto& [fault, unused] : faults) line += (line.empty() ? "" : ", ") + fault;
    return line.empty() ? "ok" : line;
  }
};

// Numbers the states in the order they are found.
template <class State>
class state_table {
  static_assert(std::has_unique_object_representations_v<State>);

 public:
  std::size_t size() const { return states_.size(); }
  const State& operator[](std::size_t at) const { return states_[at]; }

  // The state's number, and whether it is new.
  std::pair<std::uint32_t, bool> add(const State& state) {
    if (2 * states_.size() >= places_.size()) grow();
    std::uint32_t& place = place_of(state);
    if (place != none) return {place, false};
    place = static_cast<std::uint32_t>(states_.size());
    states_.push_back(state);
    return {place, true};
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;

  std::uint32_t& place_of(const State& state) {
    const std::string_view bytes(reinterpret_cast<const char*>(&state), sizeof state);
    const std::size_t mask = places_.size() - 1;
    std::size_t at = std::hash<std::string_view>()(bytes) & mask;
    while (places_[at] != none && states_[places_[at]] != state) at = (at + 1) & mask;
    return places_[at];
  }

  void grow() {
    places_.assign(std::max<std::size_t>(1024, 4 * places_.size()), none);
    for (std::uint32_t at = 0; at < states_.size(); ++at) place_of(states_[at]) = at;
  }

  std::vector<State> states_;
  std::vector<std::uint32_t> places_;  // numbers by hash; the size is a power of two
};

template <class Model>
class explorer {
 public:
  using state = typename Model::state;

  // Stops when it has found `until`.
  explorer(const Model& model, std::string_view until) : model_(model), until_(until) {}

  findings explore() {
    found(model_.canonical(model_.initial()), 0);
    for (std::uint32_t at = 0; at < states_.size() && findings_.complete; ++at) expand(at);
    if (findings_.complete) look_for_endless_runs();
    findings_.states = states_.size();
    return std::move(findings_);
  }

 private:
  static constexpr std::size_t states_max = 20'000'000;

  void expand(std::uint32_t at) {
    first_edge_.push_back(edges_.size());
    const state now = states_[at];
    if (const char* fault = model_.fault(now)) return report(fault, at);
    bool rests = true;
    model_.steps(now, [&](const step& one, const state& next) {
      const std::uint32_t to = found(model_.canonical(next), at);
      if (!one.promised) return;
      rests = false;
      edges_.push_back(to);
    });
    if (!rests) return;
    if (const char* fault = model_.fault_at_rest(now)) report(fault, at);
  }

  std::uint32_t found(const state& next, std::uint32_t from) {
    const auto [number, is_new] = states_.add(next);
    if (is_new) parents_.push_back(from);
    if (states_.size() >= states_max) findings_.complete = false;
    return number;
  }

  void report(const char* fault, std::uint32_t at) {
    if (findings_.faults.contains(fault)) return;
    findings_.faults.emplace(fault, trace_to(at));
    if (fault == until_) findings_.complete = false;
  }

  // The way to a state, told with the names that one run of the model would use: canonical states
  // rename from step to step, so the run is repeated.
  findings::trace trace_to(std::uint32_t at) const {
    std::vector<std::uint32_t> way;
    for (; at != 0; at = parents_[at]) way.push_back(at);
    findings::trace lines;
    state now = model_.initial();
    for (; !way.empty(); way.pop_back()) {
      const state& wanted = states_[way.back()];
      bool done = false;
      const state before = now;
      model_.steps(before, [&](const step& one, const state& next) {
        if (done || !(model_.canonical(next) == wanted)) return;
        lines.push_back(one.text());
        now = next;
        done = true;
      });
    }
    return lines;
  }

  // Takes away, again and again, the states that no promised step leads to. What stays lies on a
  // cycle or behind one.
  void look_for_endless_runs() {
    first_edge_.push_back(edges_.size());
    std::vector<std::uint32_t> entries(states_.size());
    for (const std::uint32_t to : edges_) ++entries[to];
    std::vector<std::uint32_t> free;
    for (std::uint32_t at = 0; at < entries.size(); ++at) {
      if (entries[at] == 0) free.push_back(at);
    }
    while (!free.empty()) {
      const std::uint32_t at = free.back();
      free.pop_back();
      for (std::size_t edge = first_edge_[at]; edge < first_edge_[at + 1]; ++edge) {
        if (--entries[edges_[edge]] == 0) free.push_back(edges_[edge]);
      }
    }
    for (std::uint32_t at = 0; at < entries.size(); ++at) {
      if (entries[at] != 0) return report("endless", at);
    }
  }

  const Model& model_;
  std::string_view until_;
  state_table<state> states_;
  std::vector<std::uint32_t> parents_;
  std::vector<std::uint32_t> edges_;  // where promised steps lead; a state's begin at first_edge_
  std::vector<std::size_t> first_edge_;
  findings findings_;
};

// Everything, or as much as it takes to find the fault `until`.
template <class Model>
findings explore(const Model& model, std::string_view until = {}) {
  return explorer<Model>(model, until).explore();
}

}  // namespace umcg::model
