// SPDX-License-Identifier: MIT

// The timer wheel against a reference that keeps every deadline in a std::multimap, on a clock the
// test owns. Distances between times are drawn evenly over their number of bits, so that every
// level and every boundary between levels is crossed. UMCG_TEST_SEED repeats a run.

#include "base/timer_wheel.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace umcg::base {
namespace {

using std::chrono::nanoseconds;
using time_point = timer_wheel::time_point;

constexpr nanoseconds tick = timer_wheel::tick_duration;

constexpr time_point at_tick(std::uint64_t ticks) {
  return time_point(tick * static_cast<std::int64_t>(ticks));
}

std::uint64_t chosen_seed() {
  const char* const given = std::getenv("UMCG_TEST_SEED");
  const std::uint64_t seed =
      (given != nullptr) ? std::strtoull(given, nullptr, 0) : std::random_device()();
  std::cout << "UMCG_TEST_SEED=" << seed << '\n';
  return seed;
}

std::vector<timer*> advance(timer_wheel& wheel, time_point now) {
  std::vector<timer*> fired;
  wheel.advance(now, [&](timer& entry) noexcept { fired.push_back(&entry); });
  return fired;
}

// A wheel beside its reference, driven by random steps and checked after each.
class comparison {
 public:
  comparison(std::uint64_t seed, time_point start, int distance_bits)
      : random_(seed), distance_bits_(distance_bits), now_(start), wheel_(start) {}

  void step() {
    const auto choice = random_() % 16;
    if (choice < 2) return advance_to(after(now_));
    if (choice < 3) return sleep_until_one_fires();
    if (choice < 9) return insert(any());
    remove(any());
  }

  time_point now() const { return now_; }
  std::uint64_t fired() const { return fired_; }

 private:
  struct entry : timer {
    std::multimap<time_point, entry*>::iterator place;
    bool waiting = false;
    bool fresh = false;  // inserted by a callback of the advance under way
  };

  entry& any() { return entries_[random_() % entries_.size()]; }

  nanoseconds distance() {
    const auto bits = static_cast<int>(random_() % static_cast<unsigned>(distance_bits_ + 1));
    return nanoseconds(static_cast<std::int64_t>(random_() >> 1 >> (63 - bits)));
  }

  // Stops at the end of the clock.
  time_point after(time_point from) {
    const nanoseconds step = distance();
    return (step > time_point::max() - from) ? time_point::max() : from + step;
  }

  time_point some_deadline() {
    if (random_() % 64 == 0) return time_point::max();
    if (random_() % 8 != 0) return after(now_);
    const nanoseconds back = distance();
    return (back > now_.time_since_epoch()) ? time_point() : now_ - back;
  }

  void insert(entry& which) {
    if (which.waiting) return;
    const time_point when = some_deadline();
    wheel_.insert(which, when);
    which.place = deadlines_.emplace(when, &which);
    which.waiting = true;
    which.fresh = advancing_;
    ASSERT_TRUE(which.inserted());
    check_next_expiry();
  }

  void remove(entry& which) {
    ASSERT_EQ(which.inserted(), which.waiting);
    wheel_.remove(which);
    if (which.waiting) deadlines_.erase(which.place);
    which.waiting = false;
    ASSERT_FALSE(which.inserted());
    check_next_expiry();
  }

  void advance_to(time_point now) {
    now_ = now;
    advancing_ = true;
    wheel_.advance(now, [this](timer& one) noexcept { fire(static_cast<entry&>(one)); });
    advancing_ = false;
    for (const auto& [when, one] : deadlines_) {
      if (one->fresh) continue;
      ASSERT_GT(when, now - tick) << "still waiting a tick after its deadline";
      break;
    }
    for (entry& one : entries_) one.fresh = false;
    check_next_expiry();
  }

  void fire(entry& which) {
    ++fired_;
    ASSERT_TRUE(which.waiting);
    ASSERT_FALSE(which.inserted());
    ASSERT_FALSE(which.fresh) << "fired by the advance that it was inserted in";
    ASSERT_LE(which.place->first, now_) << "early";
    deadlines_.erase(which.place);
    which.waiting = false;
    for (auto actions = random_() % 4; actions > 0; --actions) {
      entry& other = (random_() % 4 == 0) ? which : any();
      other.waiting ? remove(other) : insert(other);
    }
  }

  // Says whether there is something to wait for, and is not later than the end of the first
  // deadline's tick.
  void check_next_expiry() {
    if (advancing_) return;
    const auto next = wheel_.next_expiry();
    ASSERT_EQ(next.has_value(), !deadlines_.empty());
    if (!next) return;
    ASSERT_LT(*next - tick, std::max(deadlines_.begin()->first, now_)) << "would sleep too long";
    ASSERT_GT(*next, now_ - tick) << "lies in the past";
  }

  // What a server without work does. Each time it must get on: something fires or the next
  // time is a later one, and there is one time for each level at most.
  void sleep_until_one_fires() {
    const std::uint64_t fired_before = fired_;
    for (int sleeps = 0; fired_ == fired_before; ++sleeps) {
      const auto next = wheel_.next_expiry();
      if (!next || *next == time_point::max()) return;
      ASSERT_LT(sleeps, 8) << "woke more often than there are levels";
      advance_to(std::max(now_, *next));
      const auto then = wheel_.next_expiry();
      ASSERT_TRUE(fired_ != fired_before || (then && *then > *next)) << "woke for nothing";
    }
  }

  std::mt19937_64 random_;
  int distance_bits_;
  time_point now_;
  timer_wheel wheel_;
  std::array<entry, 64> entries_;
  std::multimap<time_point, entry*> deadlines_;
  bool advancing_ = false;
  std::uint64_t fired_ = 0;
};

TEST(timer_wheel_test, agrees_with_a_sorted_map_over_millions_of_random_steps) {
  constexpr int steps_total = 4'000'000;
  constexpr int steps_per_wheel = 5'000;
  std::mt19937_64 random(chosen_seed());
  std::uint64_t fired = 0;
  for (int steps = 0; steps < steps_total; steps += steps_per_wheel) {
    const int start_bits = static_cast<int>(random() % 64);
    const time_point start{nanoseconds(static_cast<std::int64_t>(random() >> 1 >> start_bits))};
    const int distance_bits = 16 + static_cast<int>(random() % 48);
    auto both = std::make_unique<comparison>(random(), start, distance_bits);
    for (int i = 0; i < steps_per_wheel && both->now() < time_point::max(); ++i) {
      both->step();
      if (testing::Test::HasFatalFailure()) return;
    }
    fired += both->fired();
  }
  EXPECT_GT(fired, 100'000U);
}

// Both sides of each power of 64, and the same far from zero.
TEST(timer_wheel_test, fires_in_its_own_tick_across_every_level_boundary) {
  for (unsigned level = 0; level < 8; ++level) {
    const std::uint64_t unit = std::uint64_t{1} << 6 * level;
    for (const std::uint64_t base : {unit, 5 * unit, 31 * unit}) {
      for (const std::uint64_t start : {base - 1, base, base + 1}) {
        for (const std::uint64_t wait : {std::uint64_t{1}, unit - 1, unit, unit + 1, 64 * unit}) {
          if (wait == 0 || start + wait >= std::uint64_t{1} << 47) continue;
          timer_wheel wheel(at_tick(start));
          timer entry;
          wheel.insert(entry, at_tick(start + wait));
          ASSERT_TRUE(advance(wheel, at_tick(start + wait) - nanoseconds(1)).empty());
          ASSERT_EQ(advance(wheel, at_tick(start + wait)).size(), 1U)
              << "start " << start << " wait " << wait;
        }
      }
    }
  }
}

TEST(timer_wheel_test, fires_at_most_one_tick_after_a_deadline_within_a_tick) {
  timer_wheel wheel(at_tick(1000));
  timer entry;
  wheel.insert(entry, at_tick(1001) + nanoseconds(1));
  EXPECT_TRUE(advance(wheel, at_tick(1001)).empty());
  EXPECT_EQ(advance(wheel, at_tick(1002)).size(), 1U);
}

TEST(timer_wheel_test, fires_earlier_ticks_first_however_late_the_advance) {
  constexpr std::size_t count = 20'000;
  std::mt19937_64 random(chosen_seed());
  timer_wheel wheel(at_tick(0));
  std::vector<timer> entries(count);
  std::map<const timer*, std::uint64_t> tick_of;
  for (timer& entry : entries) {
    tick_of[&entry] = random() % (1U << 22);
    wheel.insert(entry, at_tick(tick_of[&entry]));
  }
  const std::vector<timer*> fired = advance(wheel, at_tick(1U << 22));
  ASSERT_EQ(fired.size(), count);
  for (std::size_t i = 1; i < count; ++i) {
    ASSERT_LE(tick_of[fired[i - 1]], tick_of[fired[i]]);
  }
}

TEST(timer_wheel_test, fires_a_past_deadline_at_the_next_advance) {
  timer_wheel wheel(at_tick(1000));
  timer entry;
  wheel.insert(entry, at_tick(1));
  ASSERT_TRUE(wheel.next_expiry());
  EXPECT_LE(*wheel.next_expiry(), at_tick(1000));
  EXPECT_EQ(advance(wheel, at_tick(1000)).size(), 1U);
  EXPECT_FALSE(wheel.next_expiry());
}

TEST(timer_wheel_test, fires_once_per_advance_what_its_callback_inserts_again) {
  timer_wheel wheel(at_tick(1000));
  timer entry;
  wheel.insert(entry, at_tick(1000));
  for (int fired_total = 1; fired_total < 5; ++fired_total) {
    int fired = 0;
    wheel.advance(at_tick(1000), [&](timer& one) noexcept {
      ++fired;
      wheel.insert(one, at_tick(999));
    });
    ASSERT_EQ(fired, 1);
  }
  wheel.remove(entry);
  EXPECT_FALSE(wheel.next_expiry());
}

TEST(timer_wheel_test, does_not_fire_what_a_callback_has_removed) {
  timer_wheel wheel(at_tick(0));
  std::array<timer, 3> entries;
  for (timer& entry : entries) wheel.insert(entry, at_tick(5));
  int fired = 0;
  wheel.advance(at_tick(5), [&](timer&) noexcept {
    ++fired;
    for (timer& entry : entries) wheel.remove(entry);
  });
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(wheel.next_expiry());
}

TEST(timer_wheel_test, ignores_the_removal_of_what_is_not_inserted) {
  timer_wheel wheel(at_tick(0));
  timer never_inserted;
  timer fired;
  timer waiting;
  wheel.insert(fired, at_tick(1));
  ASSERT_EQ(advance(wheel, at_tick(1)).size(), 1U);
  wheel.insert(waiting, at_tick(2));
  wheel.remove(never_inserted);
  wheel.remove(fired);
  EXPECT_EQ(advance(wheel, at_tick(2)).size(), 1U);
}

TEST(timer_wheel_test, never_fires_the_end_of_the_clock) {
  timer_wheel wheel(at_tick(1000));
  timer entry;
  wheel.insert(entry, time_point::max());
  EXPECT_EQ(wheel.next_expiry(), time_point::max());
  EXPECT_TRUE(advance(wheel, time_point::max()).empty());
  EXPECT_EQ(wheel.next_expiry(), time_point::max());
  wheel.remove(entry);
  EXPECT_FALSE(wheel.next_expiry());
}

TEST(timer_wheel_test, stands_still_when_told_an_earlier_time) {
  timer_wheel wheel(at_tick(1000));
  timer entry;
  wheel.insert(entry, at_tick(1001));
  EXPECT_TRUE(advance(wheel, at_tick(10)).empty());
  EXPECT_TRUE(advance(wheel, at_tick(1000)).empty());
  EXPECT_EQ(advance(wheel, at_tick(1001)).size(), 1U);
}

}  // namespace
}  // namespace umcg::base
