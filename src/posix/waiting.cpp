// SPDX-License-Identifier: MIT
#include "posix/waiting.hpp"

#include <chrono>
#include <cstdint>

#include "libumcg/scheduling.hpp"
#include "libumcg/wait_note.hpp"

namespace umcg::posix {

namespace {

using std::chrono::nanoseconds;

timespec now_on(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now;
}

// From `now` to `then`; what does not fit is the most or the least that does.
nanoseconds between(const timespec& now, const timespec& then) noexcept {
  constexpr std::int64_t second = 1'000'000'000;
  std::int64_t seconds;
  std::int64_t sum;
  if (__builtin_sub_overflow(then.tv_sec, now.tv_sec, &seconds) ||
      __builtin_mul_overflow(seconds, second, &sum) ||
      __builtin_add_overflow(sum, then.tv_nsec - now.tv_nsec, &sum)) {
    return then.tv_sec > now.tv_sec ? nanoseconds::max() : nanoseconds::min();
  }
  return nanoseconds(sum);
}

// On the steady clock. One that was set meanwhile is looked at again when that time has come.
deadline steady(time_limit limit) noexcept {
  if (limit.at == nullptr) return deadline::never();
  return deadline::after(between(now_on(limit.clock), *limit.at));
}

}  // namespace

libumcg::task* worker_here() noexcept {
  libumcg::task* const self = libumcg::current_task;
  if (self == nullptr || self->kind.load() != libumcg::task_kind::worker) return nullptr;
  return self->blocking == 0 && self->preempt_off.depth() == 0 ? self : nullptr;
}

bool is_valid(time_limit limit) noexcept {
  if (limit.at == nullptr) return true;
  return (limit.clock == CLOCK_MONOTONIC || limit.clock == CLOCK_REALTIME) &&
         limit.at->tv_nsec >= 0 && limit.at->tv_nsec < 1'000'000'000;
}

bool has_passed(time_limit limit) noexcept {
  return limit.at != nullptr && between(now_on(limit.clock), *limit.at) <= nanoseconds::zero();
}

bool waiting::wait(time_limit limit) noexcept {
  const deadline until = steady(limit);
  const libumcg::noted_wait note(
      &self_,
      {.reason = what_, .subject = reinterpret_cast<std::uintptr_t>(subject_), .until = until});
  const bool woken = libumcg::wait(self_, until);
  woken_ = woken_ || woken;
  return !woken;
}

waiting::~waiting() {
  // Who has called it last may have come too late for a wait.
  self_.state.take_time_out();
  if (woken_) libumcg::wake(libumcg::refer_to(self_));
}

}  // namespace umcg::posix
