// SPDX-License-Identifier: MIT
#pragma once

// How deep a worker is inside library code that must not be switched away from. Written by the
// worker, read by the signal handler that runs on top of it: one thread, so only the compiler has
// to keep the order. A watcher that wants the worker's server (claim_state.hpp) reads it while the
// kernel thread sleeps; with a depth of 0 it sees all that library code did there.

#include <atomic>
#include <cstdint>

namespace umcg::libumcg {

class preempt_depth {
 public:
  // A new task in its slot, before anybody else knows it.
  void begin_at(std::uint16_t depth) noexcept { depth_.store(depth, std::memory_order_relaxed); }
  void enter() noexcept {
    depth_.store(static_cast<std::uint16_t>(depth() + 1), std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  void exit() noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    depth_.store(static_cast<std::uint16_t>(depth() - 1), std::memory_order_release);
  }
  // Between the task's arrival on a kernel thread and its look for requests; hosting_state.hpp has
  // the other side.
  static void see_requests() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
  std::uint16_t depth() const noexcept { return depth_.load(std::memory_order_relaxed); }
  bool is_outside() const noexcept { return depth_.load(std::memory_order_acquire) == 0; }

 private:
  std::atomic<std::uint16_t> depth_{0};
};

}  // namespace umcg::libumcg
