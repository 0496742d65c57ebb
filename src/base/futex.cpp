// SPDX-License-Identifier: MIT
#include "base/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/raw_syscall.hpp"

namespace umcg::base {

namespace {

// FUTEX_WAIT_BITSET takes an absolute time on CLOCK_MONOTONIC, which is what
// std::chrono::steady_clock counts.
timespec monotonic(deadline until) {
  const auto since_boot = until.when().time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
  timespec result{};
  result.tv_sec = seconds.count();
  result.tv_nsec = std::chrono::nanoseconds(since_boot - seconds).count();
  return result;
}

}  // namespace

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, deadline until) noexcept {
  timespec when{};
  if (!until.is_never()) when = monotonic(until);
  raw_syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
              until.is_never() ? nullptr : &when, nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wake(const std::atomic<std::uint32_t>& word, int count) noexcept {
  raw_syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, nullptr, nullptr, 0);
}

void give_way() noexcept { raw_syscall(SYS_sched_yield); }

}  // namespace umcg::base
