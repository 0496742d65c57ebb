// SPDX-License-Identifier: MIT
#pragma once

// Who is where in the model of workers in line for a mutex of the C library.

#include <compare>
#include <cstdint>

#include "model/waiting_line.hpp"
#include "posix/line_state.hpp"

namespace umcg::model {

using posix::line_state;

// What a variant does without. `none`: what the library does.
enum class posix_without : std::uint8_t {
  none,
  second_try,          // in line, a worker waits without another try
  workers_fence,       // and tries before others can see it there
  unlockers_fence,     // who unlocks looks before others can see that
  listening_again,     // who was called in vain stays as it is, called
  passing_on,          // who was called and gives up calls nobody
  passing_demands_on,  // who has demanded it and gives up neither
  demands,             // workers that come try, whoever demands it
  announcing,          // threads wait for a condition variable as ever
  calling_then,        // they announce it, and call nobody
  look_at_those,       // workers do not care
  nameless_owners,     // they do for threads that are named as owner only
};

enum posix_stage : std::uint8_t {
  idle,
  tries_first,
  enters,
  passes_fence,
  tries,
  waits,
  tries_woken,
  listens,
  leaves,
  gives_up,
  passes_on,
  blocks,  // in the C library
  takes_name,
  inside,
  drops_name,
  unlocks,
  passes_unlock_fence,
  looks,
  calls,
  // threads
  announces,
  drops_name_unseen,
  unlocks_unseen,
  waits_unseen,
  locks_again,
  takes_name_again,
  withdraws,
};

constexpr int actors_most = 4;

struct posix_scene {
  struct actor {
    std::uint8_t at;
    std::uint8_t left;    // how often it is going to lock
    std::uint8_t hidden;  // it has come, and these do not see that yet
    std::uint8_t heard;   // its wait ends, or its next one
    std::uint8_t called;
    std::uint8_t demands;
    std::uint8_t passed;  // its deadline has
    std::uint8_t late;    // those who demanded the mutex when it came, and still do
    std::uint8_t unseen;  // it has announced that it unlocks unseen
    auto operator<=>(const actor&) const = default;
  };

  std::uint64_t word;
  std::uint8_t owner;  // who has taken it, as others see: a number and 1
  std::uint8_t freed;  // and has let it go, in a store buffer
  std::uint8_t name;   // the owner's name, or 0
  std::uint8_t wrong;
  waiting_line<actors_most> line;
  actor actors[actors_most];
  std::uint8_t unused[3];
  auto operator<=>(const posix_scene&) const = default;

  template <class Move>
  void make(const Move& move) {
    line_state real(word);
    move(real);
    word = real.look();
  }
};

}  // namespace umcg::model
