// SPDX-License-Identifier: MIT
#pragma once

// The shared words by which an operation under way is cancelled from outside.
//
// Of a reactor, the inbox: operations that cancellers want ended, newest first. A canceller pushes,
// and ends the reactor's sleep if the inbox was empty; the reactor's server takes all, after it has
// noted that its sleep was ended, and looks once more before it sleeps.
//
// Of an operation that a canceller has taken out of its scope's slot, who still refers to it:
//
//   0       --posted-->   posted     the canceller, when it no longer touches the reactor either
//   any     --drained-->  drained    the reactor, which does not know it any more
//   any     --await-->    awaited    the worker, when the operation itself is over
//
// The worker goes on when both have let go. Without `posted` the reactor could be gone while the
// canceller still ends its sleep, without `drained` the reactor would find an operation that is no
// longer there. The second of the two wakes the worker if that waits; each touches the word, and
// the operation, for the last time in its move.
//
// tests/model/io_cancellation_model explores these classes, and variants that lack one part each.

#include <atomic>
#include <cstdint>

namespace umcg::io {

class interruption_state {
 public:
  static constexpr std::uint32_t posted = 1;
  static constexpr std::uint32_t drained = 2;
  static constexpr std::uint32_t awaited = 4;

  constexpr interruption_state() noexcept = default;
  // For models.
  explicit constexpr interruption_state(std::uint32_t bits) noexcept : word_(bits) {}
  std::uint32_t look() const noexcept { return word_.load(); }

  // True: the caller wakes the worker. `mine` is posted or drained.
  bool let_go(std::uint32_t mine) noexcept {
    return (word_.fetch_or(mine) | mine) == (posted | drained | awaited);
  }
  // True: both have let go.
  bool await() noexcept { return is_free(word_.fetch_or(awaited)); }
  bool free() const noexcept { return is_free(look()); }

 private:
  static bool is_free(std::uint32_t bits) noexcept {
    return (bits & (posted | drained)) == (posted | drained);
  }

  std::atomic<std::uint32_t> word_{0};
};

// `Node` has a pointer `next_posted`.
template <class Node>
class inbox_state {
 public:
  bool empty() const noexcept { return first_.load() == nullptr; }

  // True: it was empty.
  bool push(Node& node) noexcept {
    Node* first = first_.load();
    do {
      node.next_posted = first;
    } while (!first_.compare_exchange_weak(first, &node));
    return first == nullptr;
  }
  // A chain by `next_posted`.
  Node* take_all() noexcept { return first_.exchange(nullptr); }

 private:
  std::atomic<Node*> first_{nullptr};
};

}  // namespace umcg::io
