// SPDX-License-Identifier: MIT
#pragma once

// A simulated machine. Its threads are real ones, so that all that C++ keeps for a thread is there,
// but only one of them runs at a time, and who goes on at each point is chosen by a seed; so is
// when a sleep in the kernel ends without a reason. Time is virtual: it moves a little with each
// point, and to the next deadline when everybody sleeps. The same seed brings the same schedule.
//
// A point is every access to an atomic object (interleaved_atomic.hpp), every futex call and every
// pause. Accesses are sequentially consistent here: what weaker orders would allow is not explored.

#include <cstdint>
#include <functional>
#include <memory>

namespace contract::simulation {

// A new schedule begins, on the calling thread, which becomes its first.
void begin(std::uint32_t seed);

// Maybe another thread goes on. Does nothing on threads that are not simulated.
void point() noexcept;
// Another thread goes on, if one can.
void yield() noexcept;

inline constexpr std::int64_t never = INT64_MAX;

// Sleeps until somebody wakes the sleepers at `address`, or until the time. The caller has made
// sure that it should, with no point in between.
void sleep(const void* address, std::int64_t until) noexcept;
void wake(const void* address, int count) noexcept;

std::int64_t now() noexcept;
// A number for the schedule up to here: equal for equal schedules.
std::uint64_t trace() noexcept;
// 0 to `bound` - 1.
std::uint32_t random(std::uint32_t bound) noexcept;

class thread {
 public:
  explicit thread(std::function<void()> body);
  ~thread();
  thread(const thread&) = delete;
  thread& operator=(const thread&) = delete;
  void join();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace contract::simulation
