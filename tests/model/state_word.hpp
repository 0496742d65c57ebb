// SPDX-License-Identifier: MIT
#pragma once

// A task's state word in a state of a model. Moves are made by the real class, libumcg's
// task_state, so no model can differ from it; each move is one exchange, hence one step. What the
// model keeps is state and flags: the sequence number, which never repeats, would make every state
// a new one.

#include <compare>
#include <cstdint>

#include "libumcg/task_state.hpp"

namespace umcg::model {

struct state_word {
  using real = libumcg::task_state;

  std::uint32_t bits = 0;

  static constexpr state_word at(std::uint64_t place) {
    return {static_cast<std::uint32_t>(place)};
  }

  auto operator<=>(const state_word&) const = default;

  bool has(std::uint64_t flag) const { return (bits & flag) != 0; }
  std::uint64_t place() const { return bits & real::place_mask; }

  // Makes a move of the real class for a task in its first life, or `life`, and returns what that
  // says.
  template <class Move>
  auto make(const Move& move, std::uint64_t life = 1) {
    real word;
    for (std::uint64_t before = 1; before < life; ++before) {
      word.begin(real::running);
      word.end();
    }
    if (bits != 0) word.begin(bits);
    const keeper keep{*this, word};
    return move(word);
  }

  // What a variant does that has a move of its own.
  void put(std::uint64_t place) {
    bits = static_cast<std::uint32_t>((bits & ~real::place_mask) | place);
  }
  void set(std::uint64_t flag) { bits |= static_cast<std::uint32_t>(flag); }
  void drop(std::uint64_t flag) { bits &= ~static_cast<std::uint32_t>(flag); }

 private:
  struct keeper {
    state_word& kept;
    const real& word;
    keeper(state_word& into, const real& from) : kept(into), word(from) {}
    keeper(const keeper&) = delete;
    keeper& operator=(const keeper&) = delete;
    ~keeper() { kept.bits = static_cast<std::uint32_t>(word.look()); }
  };
};

}  // namespace umcg::model
