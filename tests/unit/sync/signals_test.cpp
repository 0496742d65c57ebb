// SPDX-License-Identifier: MIT

// Semaphores, events and wait groups. A wake that is lost is a test that hangs: none of the waits
// that are to end has a deadline.

#include <atomic>
#include <memory>
#include <random>

#include "umcg/sync.hpp"
#include "unit/sync/crowd.hpp"

namespace umcg::sync {
namespace {

using std::chrono::microseconds;
using testing::long_ago;
using testing::rounds;
using testing::soon;
using testing::within;

class semaphores : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, semaphores, testing::all_crowds(), testing::crowd_name);

TEST_P(semaphores, let_so_many_in) {
  constexpr int units = 3;
  semaphore places(units);
  std::atomic<int> inside = 0;
  for (int i = 0; i < 12; ++i) {
    everybody().start([&] {
      for (int round = 0; round < rounds(1000); ++round) {
        places.acquire();
        EXPECT_LE(++inside, units);
        yield();
        --inside;
        places.release();
      }
    });
  }
  everybody().join();
  EXPECT_EQ(places.available(), 3U);
}

TEST_P(semaphores, are_a_ball_between_two) {
  semaphore there(0);
  semaphore back(0);
  const int strokes = rounds(5000);
  everybody().start([&] {
    for (int i = 0; i < strokes; ++i) {
      there.release();
      back.acquire();
    }
  });
  everybody().start([&] {
    for (int i = 0; i < strokes; ++i) {
      there.acquire();
      back.release();
    }
  });
  everybody().join();
  EXPECT_EQ(there.available() + back.available(), 0U);
}

TEST_P(semaphores, deadlines_are_never_early) {
  semaphore none(0);
  for (int i = 0; i < 6; ++i) {
    everybody().start([&none] {
      EXPECT_FALSE(none.try_acquire());
      EXPECT_FALSE(none.acquire_until(long_ago()));
      const deadline until = soon();
      EXPECT_FALSE(none.acquire_until(until));
      EXPECT_TRUE(until.passed());
    });
  }
  everybody().join();
  none.release(2);
  EXPECT_TRUE(none.try_acquire());
  EXPECT_TRUE(none.acquire_until(long_ago()));
  EXPECT_FALSE(none.try_acquire());
}

TEST_P(semaphores, release_several_at_once) {
  semaphore units(0);
  std::atomic<int> got = 0;
  for (int i = 0; i < 6; ++i) {
    everybody().start([&] {
      units.acquire();
      ++got;
    });
  }
  units.release(0);
  units.release(4);
  EXPECT_TRUE(testing::becomes_true([&] { return got == 4; }));
  units.release(5);
  everybody().join();
  EXPECT_EQ(got, 6);
  EXPECT_EQ(units.available(), 3U);
}

// What was given was got or is there: a result is true exactly if a unit was taken.
TEST_P(semaphores, lose_no_unit_to_a_deadline) {
  constexpr int takers = 10;
  const int units = rounds(6000);
  const unsigned seed = testing::seed();
  semaphore there(0);
  std::atomic<int> taken = 0;
  std::atomic<bool> over = false;
  for (unsigned i = 0; i < takers; ++i) {
    everybody().start([&, i] {
      std::mt19937 random(seed + i);
      while (!over) {
        if (there.acquire_until(within(random, microseconds(40)))) ++taken;
      }
    });
  }
  std::mt19937 random(seed);
  for (int given = 0; given < units;) {
    const int count = std::min<int>(units - given, 1 + static_cast<int>(random() % 3));
    there.release(static_cast<std::uint64_t>(count));
    given += count;
    if (random() % 16 == 0) yield();
  }
  ASSERT_TRUE(testing::becomes_true([&] { return there.available() == 0; }));
  over = true;
  everybody().join();
  EXPECT_EQ(taken, units);
}

TEST_P(semaphores, serve_in_the_order_of_arrival) {
  semaphore units(0);
  std::atomic<int> arrived = 0;
  std::atomic<int> served = 0;
  for (int i = 0; i < 5; ++i) {
    everybody().start([&, i] {
      ++arrived;
      units.acquire();
      EXPECT_EQ(served++, i);
      units.release();
    });
    ASSERT_TRUE(testing::becomes_true([&] { return arrived == i + 1; }));
    // It is in line when it can be overtaken no more: give it the time for that.
    semaphore(0).acquire_until(deadline::after(std::chrono::milliseconds(3)));
  }
  units.release();
  everybody().join();
}

TEST_P(semaphores, are_destroyed_by_who_took_the_last_unit) {
  for (int round = 0; round < rounds(1000); ++round) {
    auto unit = std::make_unique<semaphore>(0);
    semaphore* const shared = unit.get();
    everybody().start([owned = std::move(unit)] { owned->acquire(); });
    if (round % 2 == 0) yield();
    shared->release();
  }
  everybody().join();
}

// --- events ---

class events : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, events, testing::all_crowds(), testing::crowd_name);

TEST_P(events, let_all_go_on) {
  event happened;
  int published = 0;
  std::atomic<int> passed = 0;
  for (int i = 0; i < 12; ++i) {
    everybody().start([&] {
      happened.wait();
      EXPECT_EQ(published, 1);
      ++passed;
    });
  }
  EXPECT_FALSE(happened.is_set());
  EXPECT_EQ(passed, 0);
  published = 1;
  happened.set();
  EXPECT_TRUE(happened.is_set());
  everybody().join();
  EXPECT_EQ(passed, 12);
  happened.set();
  EXPECT_TRUE(happened.wait_until(long_ago()));
}

TEST_P(events, deadlines_are_never_early) {
  event never;
  for (int i = 0; i < 6; ++i) {
    everybody().start([&never] {
      EXPECT_FALSE(never.wait_until(long_ago()));
      const deadline until = soon();
      EXPECT_FALSE(never.wait_until(until));
      EXPECT_TRUE(until.passed());
    });
  }
  everybody().join();
}

// One that is set and reset at once lets go on who waited then. Some may come after the reset, and
// wait for the next.
TEST_P(events, let_go_on_who_waits_also_when_reset_at_once) {
  constexpr unsigned members = 6;
  event pulse;
  semaphore back(0);
  for (int round = 0; round < rounds(100); ++round) {
    for (unsigned i = 0; i < members; ++i) {
      everybody().start([&] {
        pulse.wait();
        back.release();
      });
    }
    EXPECT_TRUE(testing::becomes_true([&] {
      pulse.set();
      pulse.reset();
      return back.available() == members;
    }));
    while (back.try_acquire()) {
    }
  }
  everybody().join();
}

TEST_P(events, survive_races_with_deadlines) {
  constexpr int members = 8;
  const unsigned seed = testing::seed();
  std::atomic<bool> over = false;
  event happens;
  for (unsigned i = 0; i < members; ++i) {
    everybody().start([&, i] {
      std::mt19937 random(seed + i);
      while (!over) {
        const deadline until = within(random, microseconds(40));
        EXPECT_TRUE(happens.wait_until(until) || until.passed());
      }
      happens.wait();
    });
  }
  for (int round = 0; round < rounds(5000); ++round) {
    happens.set();
    happens.reset();
    if (round % 32 == 0) yield();
  }
  over = true;
  happens.set();
  everybody().join();
}

// --- wait groups ---

class wait_groups : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, wait_groups, testing::all_crowds(), testing::crowd_name);

// Each lies on a stack and is gone when its wait has returned.
TEST_P(wait_groups, wait_for_all_and_may_go) {
  for (int round = 0; round < rounds(500); ++round) {
    std::atomic<int> ended = 0;
    {
      wait_group parts;
      for (int i = 0; i < 4; ++i) {
        parts.add();
        everybody().start([&] {
          ++ended;
          parts.done();
        });
      }
      parts.wait();
      EXPECT_EQ(ended, 4);
    }
  }
  everybody().join();
}

TEST_P(wait_groups, are_waited_for_by_many_and_used_again) {
  wait_group parts(2);
  wait_group waiters(6);
  for (int i = 0; i < 6; ++i) {
    everybody().start([&] {
      parts.wait();
      waiters.done();
    });
  }
  EXPECT_FALSE(waiters.wait_until(soon()));
  parts.done();
  EXPECT_FALSE(waiters.wait_until(soon()));
  parts.done();
  waiters.wait();
  parts.add(3);
  EXPECT_FALSE(parts.wait_until(long_ago()));
  parts.done(3);
  EXPECT_TRUE(parts.wait_until(long_ago()));
  everybody().join();
}

TEST_P(wait_groups, survive_races_with_deadlines) {
  const unsigned seed = testing::seed();
  std::mt19937 random(seed);
  for (int round = 0; round < rounds(300); ++round) {
    wait_group parts(3);
    for (int i = 0; i < 3; ++i) everybody().start([&parts] { parts.done(); });
    const deadline until = within(random, microseconds(60));
    EXPECT_TRUE(parts.wait_until(until) || until.passed());
    everybody().join();
    EXPECT_TRUE(parts.wait_until(long_ago()));
  }
}

using signal_death = testing::group_test;

TEST_F(signal_death, more_done_than_to_be_done_is_reported) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(wait_group(1).done(2), "more was done than was to be done");
  EXPECT_DEATH(shared_mutex().unlock(), "that nobody has locked");
  EXPECT_DEATH(shared_mutex().unlock_shared(), "that nobody has locked");
}

}  // namespace
}  // namespace umcg::sync
