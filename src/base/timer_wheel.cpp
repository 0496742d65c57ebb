// SPDX-License-Identifier: MIT

// What holds between calls: a timer's tick is not below current_, and its slot is the one that its
// tick and current_ give. Moving current_ forward up to the first tick of the first occupied slot
// keeps it so, because no digit in which a waiting timer differs is passed.

#include "base/timer_wheel.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace umcg::base {
namespace {

using std::chrono::nanoseconds;

constexpr unsigned tick_bits = std::countr_zero(std::uint64_t{timer_wheel::tick_duration.count()});

std::uint64_t nanoseconds_of(timer_wheel::time_point when) noexcept {
  const auto count = std::chrono::duration_cast<nanoseconds>(when.time_since_epoch()).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
}

// The first tick at which `when` has passed: rounded up, so that nothing fires early.
std::uint64_t tick_at_or_after(timer_wheel::time_point when) noexcept {
  constexpr std::uint64_t last_of_tick = (std::uint64_t{1} << tick_bits) - 1;
  return (nanoseconds_of(when) + last_of_tick) >> tick_bits;
}

std::uint64_t tick_at_or_before(timer_wheel::time_point when) noexcept {
  return nanoseconds_of(when) >> tick_bits;
}

// The tick of time_point::max(), rounded up, lies just beyond the clock.
timer_wheel::time_point start_of(std::uint64_t tick) noexcept {
  using time_point = timer_wheel::time_point;
  if (tick > tick_at_or_before(time_point::max())) return time_point::max();
  return time_point(nanoseconds(static_cast<std::int64_t>(tick << tick_bits)));
}

}  // namespace

timer_wheel::timer_wheel(time_point now) noexcept : current_(tick_at_or_before(now)) {}

void timer_wheel::insert(timer& entry, time_point when) noexcept {
  entry.tick_ = std::max(tick_at_or_after(when), current_);
  place(entry);
}

void timer_wheel::remove(timer& entry) noexcept {
  if (!entry.inserted()) return;
  *entry.link_ = entry.next_;
  if (entry.next_ != nullptr) {
    entry.next_->link_ = entry.link_;
  } else if (slots_[entry.slot_] == nullptr) {
    mark_empty(entry.slot_);
  }
  entry.link_ = nullptr;
}

std::optional<timer_wheel::time_point> timer_wheel::next_expiry() const noexcept {
  const auto slot = first_occupied();
  if (!slot) return std::nullopt;
  return start_of(first_tick(*slot));
}

// Puts `entry` at the head of the slot that its tick belongs in.
void timer_wheel::place(timer& entry) noexcept {
  const std::uint64_t difference = entry.tick_ ^ current_;
  const auto level = static_cast<unsigned>(std::bit_width(difference | 1) - 1) / digit_bits;
  const std::size_t digit = (entry.tick_ >> level * digit_bits) % slots_per_level;
  entry.slot_ = level * slots_per_level + digit;
  timer*& head = slots_[entry.slot_];
  entry.next_ = head;
  entry.link_ = &head;
  if (head != nullptr) head->link_ = &entry.next_;
  head = &entry;
  occupied_[level] |= std::uint64_t{1} << digit;
}

// Moves everything that is due at `now` to due_, in the order of ticks.
void timer_wheel::collect_due(time_point now) noexcept {
  const std::uint64_t target = std::max(tick_at_or_before(now), current_);
  timer** tail = &due_;
  for (auto slot = first_occupied(); slot && first_tick(*slot) <= target; slot = first_occupied()) {
    current_ = first_tick(*slot);
    timer* const taken = take(*slot);
    if (*slot >= slots_per_level) {
      place_all(taken);
      continue;
    }
    *tail = taken;
    taken->link_ = tail;
    while (*tail != nullptr) tail = &(*tail)->next_;
  }
  current_ = target;
}

// Moves the timers of a slot whose digit has been reached to the levels below.
void timer_wheel::place_all(timer* first) noexcept {
  while (first != nullptr) {
    timer& entry = *first;
    first = entry.next_;
    place(entry);
  }
}

std::optional<std::size_t> timer_wheel::first_occupied() const noexcept {
  for (std::size_t level = 0; level < levels; ++level) {
    if (occupied_[level] == 0) continue;
    return level * slots_per_level + static_cast<std::size_t>(std::countr_zero(occupied_[level]));
  }
  return std::nullopt;
}

// The digits above the slot's level are the wheel's own, those below it are zero.
std::uint64_t timer_wheel::first_tick(std::size_t slot) const noexcept {
  const std::size_t shift = slot / slots_per_level * digit_bits;
  const std::uint64_t above = current_ >> shift >> digit_bits << digit_bits;
  return (above | slot % slots_per_level) << shift;
}

void timer_wheel::mark_empty(std::size_t slot) noexcept {
  occupied_[slot / slots_per_level] &= ~(std::uint64_t{1} << slot % slots_per_level);
}

// Empties `slot` and returns its first timer.
timer* timer_wheel::take(std::size_t slot) noexcept {
  mark_empty(slot);
  return std::exchange(slots_[slot], nullptr);
}

}  // namespace umcg::base
