// SPDX-License-Identifier: MIT
#pragma once

// The shared word of a waiter: what it is told, once for each time that it was in a queue.
//
//   none --send--> granted, called   whoever has taken the waiter out of its queue, once
//   any  --listen_again--> none      the waiter, while it is in no queue
//
// Sending publishes what the sender did before. The waiter may be gone, and with it this word, as
// soon as it is sent: the sender touches neither afterwards.

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
  signal received() const noexcept { return static_cast<signal>(word_.load()); }
  void send(signal what) noexcept { word_.store(static_cast<std::uint32_t>(what)); }
  void listen_again() noexcept { word_.store(static_cast<std::uint32_t>(signal::none)); }

  // For a sleep in the kernel while nothing is received: until the word is not 0.
  std::atomic<std::uint32_t>& word() noexcept { return word_; }

 private:
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace umcg::sync
