// SPDX-License-Identifier: MIT
#pragma once

// How deep a worker is inside library code that must not be switched away from. Written by the
// worker, read by the signal handler that runs on top of it: one thread, so only the compiler has
// to keep the order.

#include <atomic>
#include <cstdint>

namespace umcg::libumcg {

class preempt_depth {
 public:
  void enter() noexcept {
    depth_.store(static_cast<std::uint16_t>(depth() + 1), std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  void exit() noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    depth_.store(static_cast<std::uint16_t>(depth() - 1), std::memory_order_relaxed);
  }
  // Between the task's arrival on a kernel thread and its look for requests; hosting_state.hpp has
  // the other side.
  static void see_requests() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
  std::uint16_t depth() const noexcept { return depth_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint16_t> depth_{0};
};

}  // namespace umcg::libumcg
