// SPDX-License-Identifier: MIT
#pragma once

// The shared word of a waiter: what it is told, once for each time that it was in a queue; and
// whether a cancellation has ended its wait, beside that.
//
//   none --send-->      granted, called   whoever has taken the waiter out of its queue, once
//   any  --interrupt--> interrupted too   a canceller that has taken it out of its scope's slot,
//   once any  --listen_again--> none           the waiter, while it is in no queue and in no slot
//
// Sending publishes what the sender did before. The waiter may be gone, and with it this word, as
// soon as it is told all that it has to be: who tells it touches neither afterwards.

#include <atomic>
#include <cstdint>

namespace umcg::sync {

enum class signal : std::uint32_t {
  none,     // it still waits, or has left at its deadline
  granted,  // it has what it waited for
  called,   // it looks for itself
};

class waiter_state {
 public:
  static constexpr std::uint32_t signals = 3;
  static constexpr std::uint32_t interrupted = 4;

  constexpr waiter_state() noexcept = default;
  // For models.
  explicit constexpr waiter_state(std::uint32_t bits) noexcept : word_(bits) {}
  std::uint32_t look() const noexcept { return word_.load(); }

  static signal signal_of(std::uint32_t bits) noexcept { return signal{bits & signals}; }
  void send(signal what) noexcept { word_.fetch_or(static_cast<std::uint32_t>(what)); }
  void interrupt() noexcept { word_.fetch_or(interrupted); }
  void listen_again() noexcept { word_.store(0); }

  // For a sleep in the kernel, while the word stays what it is.
  std::atomic<std::uint32_t>& word() noexcept { return word_; }

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace umcg::sync
