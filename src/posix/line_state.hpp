// SPDX-License-Identifier: MIT
#pragma once

// The shared word of a line: how many workers wait in it for a lock of the C library, and how many
// of these demand it. Changed under the lock of the line; looked at by whoever locks and unlocks,
// without.
//
//   n waiting --come--> n + 1       a worker that has found the lock taken, before it tries again
//   n waiting --go-->   n - 1       it has the lock, or its deadline has passed
//   not demanding --demand--> demanding, and back by withdraw, for each of those that wait
//
// Why no worker is forgotten. The lock itself is a word of the C library, in which nothing can be
// noted. So a worker writes here and reads there, and whoever unlocks writes there and reads here:
// each has a fence in between, and one of the two sees the other (store-buffer). Without either
// fence, and without the worker's second try, tests/model/posix_mutex_model finds one that waits
// for ever.
//
// The look for demands needs no order: it decides who comes first, and is late by a little.
//
// Rejected: membarrier(2) in the worker, which frees the unlock of its fence, 5 ns, and makes each
// wait ten times as dear; a word beside each mutex, for which a pthread_mutex_t has no room.

#include <atomic>
#include <cstdint>

namespace umcg::posix {

class line_state {
 public:
  using word = std::uint64_t;

  constexpr line_state() noexcept = default;
  // For models.
  explicit constexpr line_state(word bits) noexcept : word_(bits) {}
  word look() const noexcept { return word_.load(); }

  // --- under the lock of the line ---
  void come() noexcept { word_.fetch_add(one_waiting); }
  void go() noexcept { word_.fetch_sub(one_waiting); }
  void demand() noexcept { word_.fetch_add(one_demanding); }
  void withdraw() noexcept { word_.fetch_sub(one_demanding); }

  // --- without ---
  // Between come(), or a change in the line, and the next try.
  static void before_trying() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
  // Between the unlocking and the look.
  static void after_unlocking() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
  bool anybody() const noexcept {
    return (word_.load(std::memory_order_relaxed) & (one_demanding - 1)) != 0;
  }
  bool anybody_demands() const noexcept {
    return word_.load(std::memory_order_relaxed) >= one_demanding;
  }

 private:
  static constexpr word one_waiting = 1;
  static constexpr word one_demanding = word{1} << 32;

  std::atomic<word> word_{0};
};

}  // namespace umcg::posix
