// SPDX-License-Identifier: MIT
#pragma once

// The word that a native task shares with the kernel (state_ts). It says who may use the thread's
// CPU, and nothing else: whether a worker waits or is listed, wakes and preemption stand in
// libumcg's own word (task_state.hpp). So only these moves are ever made:
//
//   server  running       --step_aside-->  idle           itself: a worker runs in its place
//           idle          --step_in-->     running        that worker; the kernel when it blocks
//   worker  idle          --claim-->       running|locked whoever runs it next
//           running|locked --release-->    running        the same, once all is in place
//           running       --lock-->        idle|locked    itself: library code, about to stop
//           idle|locked   --unlock-->      running        itself: back to the user's code
//           idle|locked   --(umcg_wait)--> idle           the kernel: it sleeps, may be claimed
//           idle          --send_home-->   idle|locked    whoever ends it: runs without a server
//           running       --(a sleep)-->   blocked        the kernel, and the server steps in
//           blocked       --(its end)-->   idle           the kernel, into its idle list
//
// The kernel kills a process for a change it cannot make sense of, so each move asserts what it
// starts from. While a worker is running and unlocked nobody but its own thread and the kernel on
// its behalf changes its word or its server's, and a locked one the kernel leaves alone: so none of
// its exchanges ever fails. A claim waits for the worker's umcg_wait to unlock the word, which is
// what "its registers are saved" means here.
//
// The bits above 17 are a stamp that the kernel fills with the time; all it needs is that no value
// comes twice in a row, so we count.

#include <atomic>
#include <cstdint>

#include "base/assert.hpp"

namespace umcg::kernel::native {

class kernel_state {
 public:
  static constexpr std::uint64_t running = 1;
  static constexpr std::uint64_t idle = 2;
  static constexpr std::uint64_t blocked = 3;
  static constexpr std::uint64_t locked = 1U << 6;
  static constexpr std::uint64_t place_mask = (1U << 18) - 1;

  std::uint64_t place() const noexcept { return word_.load() & place_mask; }

  // Before the thread is registered.
  void begin(std::uint64_t place) noexcept { word_.store(next_stamp(word_.load()) | place); }

  void step_aside() noexcept { UMCG_ASSERT(move(running, idle)); }
  void step_in() noexcept { UMCG_ASSERT(move(idle, running)); }

  // False: the worker has not come to rest yet.
  bool claim() noexcept { return move(idle, running | locked); }
  void release() noexcept { UMCG_ASSERT(move(running | locked, running)); }
  bool send_home() noexcept { return move(idle, idle | locked); }
  // After an umcg_wait that failed. False: somebody has claimed the worker.
  bool lock_again() noexcept { return move(idle, idle | locked); }

  bool is_locked() const noexcept { return place() == (idle | locked); }
  void lock() noexcept { UMCG_ASSERT(move(running, idle | locked)); }
  void unlock() noexcept { UMCG_ASSERT(move(idle | locked, running)); }

 private:
  static std::uint64_t next_stamp(std::uint64_t word) noexcept {
    return (word & ~place_mask) + place_mask + 1;
  }

  bool move(std::uint64_t from, std::uint64_t to) noexcept {
    std::uint64_t old = word_.load();
    while ((old & place_mask) == from) {
      if (word_.compare_exchange_weak(old, next_stamp(old) | to)) return true;
    }
    return false;
  }

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace umcg::kernel::native
