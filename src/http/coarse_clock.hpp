// SPDX-License-Identifier: MIT
#pragma once

// Deadlines a while from now, from a clock that is read in 5 ns. It is behind the exact one by up
// to a tick (1 to 10 ms), so these deadlines are that much early: of no account for limits of
// seconds.

#include <time.h>

#include <chrono>

#include "umcg/deadline.hpp"

namespace umcg::http {

// CLOCK_MONOTONIC_COARSE and std::chrono::steady_clock count from the same point.
inline deadline coarse_deadline_in(std::chrono::milliseconds duration) noexcept {
  constexpr std::chrono::hours endless(24 * 36'500);
  if (duration > endless) return deadline::never();
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const auto since_boot = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  return deadline(deadline::clock::time_point(since_boot + duration));
}

}  // namespace umcg::http
