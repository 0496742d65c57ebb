// SPDX-License-Identifier: MIT
#pragma once

// The deadlines of one server's operations. Nearly every operation carries a deadline and nearly
// every one ends long before it, so what has to be cheap is to insert a far deadline and to remove
// it again: both are a handful of stores without a search, an allocation or a lock. The wheel
// belongs to one server; only that server's carrier touches it.
//
// Time is cut into ticks of 2^16 ns (65.5 us), and a tick number is read as eight digits of six
// bits, which covers the whole range of the clock. A level of the wheel stands for one digit and
// has a slot for each of its values. A timer waits at the level of the highest digit in which its
// tick differs from the wheel's own, so it moves down one level at a time as that digit is reached
// (at most seven times in its life), and everything at a lower level is due before everything at a
// higher one. The next slot to look at is therefore the lowest bit set of the first occupancy word
// that is not zero. A heap was rejected: its removal touches log n other timers, each of which lies
// on another worker's stack.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "umcg/deadline.hpp"

namespace umcg::base {

class timer_wheel;

// One deadline, embedded in the operation it bounds. It stays where it is while it is inserted, and
// its owner removes it before it goes away.
class timer {
 public:
  timer() noexcept = default;
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;

  bool inserted() const noexcept { return link_ != nullptr; }

 private:
  friend class timer_wheel;

  timer* next_ = nullptr;
  timer** link_ = nullptr;  // the pointer that points here; null while not inserted
  std::uint64_t tick_ = 0;
  std::size_t slot_ = 0;  // the slot it was placed in last
};

class timer_wheel {
 public:
  using time_point = deadline::clock::time_point;

  static constexpr std::chrono::nanoseconds tick_duration{std::int64_t{1} << 16};

  // `now` is the earliest time that later calls name.
  explicit timer_wheel(time_point now) noexcept;
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  // Lets `entry` fire at `when`, by the first advance() that reaches the end of the tick `when`
  // lies in. One in the past fires at the next advance(), time_point::max() never. `entry` must not
  // be inserted.
  void insert(timer& entry, time_point when) noexcept;

  // Takes `entry` out, so that it does not fire. Nothing happens if it is not inserted, which is
  // how it is after it has fired.
  void remove(timer& entry) noexcept;

  // Fires what is due at `now`: never early, and late by less than a tick beyond `now`.
  // `fire(timer&)` finds the timer taken out already and may insert and remove any timer, those
  // that are due included; what it inserts waits for the next advance(). Earlier ticks fire first.
  // `fire` must not throw and not call advance().
  template <class Fire>
  void advance(time_point now, Fire&& fire) noexcept {
    static_assert(std::is_nothrow_invocable_v<Fire&, timer&>);
    collect_due(now);
    while (due_ != nullptr) {
      timer& entry = *due_;
      remove(entry);
      fire(entry);
    }
  }

  // A time up to which nothing can become due, so that a server may sleep until then; nothing if no
  // timer is inserted. advance() at that time fires a timer or brings one a level nearer, which
  // makes the next answer later.
  std::optional<time_point> next_expiry() const noexcept;

 private:
  static constexpr unsigned digit_bits = 6;
  static constexpr std::size_t slots_per_level = std::size_t{1} << digit_bits;
  static constexpr std::size_t levels = 8;

  void place(timer& entry) noexcept;
  void place_all(timer* first) noexcept;
  void collect_due(time_point now) noexcept;
  std::optional<std::size_t> first_occupied() const noexcept;
  std::uint64_t first_tick(std::size_t slot) const noexcept;
  timer* take(std::size_t slot) noexcept;
  void mark_empty(std::size_t slot) noexcept;

  std::uint64_t current_;                         // the tick of the last advance()
  timer* due_ = nullptr;                          // what the advance() under way has still to fire
  std::array<std::uint64_t, levels> occupied_{};  // one bit for each slot that is not empty
  std::array<timer*, levels * slots_per_level> slots_{};
};

}  // namespace umcg::base
