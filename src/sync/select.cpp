// SPDX-License-Identifier: MIT
#include "umcg/sync/select.hpp"

#include <algorithm>
#include <numeric>

#include "libumcg/scheduling.hpp"
#include "sync/waiter.hpp"

namespace umcg::sync {

namespace {

// Which case is looked at first, second and so on. A fixed order would let a busy channel keep the
// cases behind it waiting for ever.
class random_order {
 public:
  explicit random_order(std::size_t count) noexcept : count_(count) {
    std::iota(order_.begin(), order_.begin() + count, std::uint8_t{0});
    for (std::size_t left = count; left > 1; --left) {
      std::swap(order_[left - 1], order_[below(left)]);
    }
  }
  std::span<const std::uint8_t> all() const noexcept { return {order_.data(), count_}; }

 private:
  static std::size_t below(std::size_t end) noexcept {
    thread_local constinit std::uint32_t state = 0;
    if (state == 0)
      state = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(&state)) | 1;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return (std::uint64_t{state} * end) >> 32;
  }

  std::size_t count_;
  std::array<std::uint8_t, select_cases_max> order_;
};

// One who waits, with a place for each case.
class selection {
 public:
  selection(std::span<const select_case> cases, const random_order& order) noexcept
      : cases_(cases), order_(order) {
    for (std::size_t number = 0; number < cases.size(); ++number) {
      places_[number].emplace(self_, number);
    }
  }

  // Gets in line everywhere, and waits until one case can be begun. timed_out: none.
  select_result wait(deadline until) noexcept {
    const libumcg::preempt_guard guard(libumcg::current_task);
    const signal received = wait_in_lines(until);
    leave_all();
    if (received == signal::none) return {select_result::none, channel_result::timed_out};
    const std::size_t chosen = self_.claimed_by();
    if (received == signal::called) return {chosen, channel_result::closed};
    return {chosen, cases_[chosen].core->begin_promised(cases_[chosen].end)};
  }

 private:
  signal wait_in_lines(deadline until) noexcept {
    for (const std::uint8_t number : order_.all()) {
      switch (cases_[number].core->queue(cases_[number].end, *places_[number])) {
        case channel_turn::waits:
          queued_ |= 1U << number;
          break;
        case channel_turn::promised:
          return signal::granted;
        case channel_turn::closed:
          return signal::called;
        case channel_turn::elsewhere:
          return self_.wait_for_signal();
      }
    }
    const signal received = self_.wait(until);
    if (received != signal::none || self_.claim_for_itself()) return received;
    return self_.wait_for_signal();
  }

  // Nobody looks at its places any more.
  void leave_all() noexcept {
    for (std::size_t number = 0; number < cases_.size(); ++number) {
      if ((queued_ >> number & 1) == 0) continue;
      cases_[number].core->leave(cases_[number].end, *places_[number]);
    }
  }

  const std::span<const select_case> cases_;
  const random_order& order_;
  waiter self_{wait_reason::channel, this};
  std::array<std::optional<waiter>, select_cases_max> places_;
  unsigned queued_ = 0;  // a bit for each place that was put into a queue
};

}  // namespace

select_result select_and_begin(std::span<const select_case> cases, deadline until) {
  const random_order order(cases.size());
  for (const std::uint8_t number : order.all()) {
    const channel_result now = cases[number].core->try_begin(cases[number].end);
    if (now != channel_result::timed_out) return {number, now};
  }
  constexpr select_result nothing{select_result::none, channel_result::timed_out};
  if (until.passed()) return nothing;
  const select_result begun = selection(cases, order).wait(until);
  if (begun.result == channel_result::timed_out) sched::report_scope_end(until);
  return begun;
}

}  // namespace umcg::sync
