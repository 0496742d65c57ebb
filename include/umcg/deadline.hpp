// SPDX-License-Identifier: MIT
#pragma once

// A deadline is an absolute point on the steady clock, or never. Every blocking call takes one, so
// that a limit set once bounds everything below it without being recomputed.

#include <chrono>
#include <compare>

namespace umcg {

class deadline {
 public:
  using clock = std::chrono::steady_clock;

  // Never passes.
  constexpr deadline() noexcept = default;
  constexpr explicit deadline(clock::time_point when) noexcept : when_(when) {}

  static constexpr deadline never() noexcept { return {}; }

  // `duration` from now. A duration that reaches past the clock's range means never; one of zero or
  // less has passed.
  template <class Rep, class Period>
  static deadline after(std::chrono::duration<Rep, Period> duration) noexcept {
    const clock::time_point now = clock::now();
    const std::chrono::duration<double> room = clock::time_point::max() - now;
    if (std::chrono::duration<double>(duration) >= room) return never();
    return deadline(now + std::chrono::ceil<clock::duration>(duration));
  }

  constexpr bool is_never() const noexcept { return when_ == clock::time_point::max(); }
  bool passed() const noexcept { return !is_never() && clock::now() >= when_; }
  constexpr clock::time_point when() const noexcept { return when_; }

  // The earlier of two is the smaller; never is larger than every point.
  constexpr auto operator<=>(const deadline&) const noexcept = default;

 private:
  clock::time_point when_ = clock::time_point::max();
};

}  // namespace umcg
