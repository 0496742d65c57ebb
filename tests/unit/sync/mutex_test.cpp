// SPDX-License-Identifier: MIT

// Mutexes, shared mutexes and condition variables. A wake that is lost is a test that hangs: none
// of the waits that are to end has a deadline.
#include "umcg/sync/mutex.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <shared_mutex>

#include "umcg/sync.hpp"
#include "unit/sync/crowd.hpp"

namespace umcg::sync {
namespace {

using std::chrono::microseconds;
using testing::long_ago;
using testing::rounds;
using testing::soon;
using testing::within;

class mutexes : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, mutexes, testing::all_crowds(), testing::crowd_name);

// Two numbers that are equal whenever nobody is inside.
struct pair_of_counts {
  long first = 0;
  long second = 0;
  void increment() {
    EXPECT_EQ(first, second);
    ++first;
    yield();
    ++second;
  }
};

TEST_P(mutexes, let_one_in_at_a_time) {
  constexpr int members = 12;
  const int each = rounds(2000);
  mutex guards;
  pair_of_counts inside;
  for (int i = 0; i < members; ++i) {
    everybody().start([&] {
      for (int round = 0; round < each; ++round) {
        const std::lock_guard lock(guards);
        inside.increment();
      }
    });
  }
  everybody().join();
  EXPECT_EQ(inside.first, static_cast<long>(members) * each);
  EXPECT_EQ(inside.second, inside.first);
}

TEST_P(mutexes, try_lock_says_whether_it_is_taken) {
  mutex guards;
  everybody().run([&guards] {
    EXPECT_TRUE(guards.try_lock());
    guards.unlock();
  });
  const std::lock_guard lock(guards);
  for (int i = 0; i < 6; ++i) {
    everybody().run([&guards] {
      EXPECT_FALSE(guards.try_lock());
      EXPECT_FALSE(guards.try_lock_until(long_ago()));
    });
  }
}

TEST_P(mutexes, deadlines_are_never_early) {
  mutex guards;
  const std::lock_guard lock(guards);
  for (int i = 0; i < 6; ++i) {
    everybody().start([&guards] {
      const deadline until = soon();
      EXPECT_FALSE(guards.try_lock_until(until));
      EXPECT_TRUE(until.passed());
    });
  }
  everybody().join();
}

TEST_P(mutexes, a_free_one_is_taken_after_the_deadline) {
  mutex guards;
  for (int i = 0; i < 6; ++i) {
    everybody().run([&guards] {
      EXPECT_TRUE(guards.try_lock_until(long_ago()));
      guards.unlock();
    });
  }
}

// True exactly if it is locked: otherwise the count is wrong, or somebody waits for ever.
TEST_P(mutexes, survive_races_with_deadlines) {
  constexpr int members = 12;
  const int each = rounds(1000);
  const unsigned seed = testing::seed();
  mutex guards;
  pair_of_counts inside;
  std::atomic<long> entered = 0;
  for (unsigned i = 0; i < members; ++i) {
    everybody().start([&, i] {
      std::mt19937 random(seed + i);
      for (int round = 0; round < each; ++round) {
        if (random() % 4 == 0) {
          guards.lock();
        } else if (!guards.try_lock_until(within(random, microseconds(30)))) {
          continue;
        }
        ++entered;
        inside.increment();
        guards.unlock();
        if (random() % 8 == 0) yield();
      }
    });
  }
  everybody().join();
  EXPECT_EQ(inside.first, entered);
  EXPECT_TRUE(guards.try_lock());
  guards.unlock();
}

// Those who lock again and again keep nobody out.
TEST_P(mutexes, starve_nobody) {
  mutex guards;
  std::atomic<bool> over = false;
  for (int i = 0; i < 6; ++i) {
    everybody().start([&] {
      while (!over) {
        const std::lock_guard lock(guards);
        yield();
      }
    });
  }
  for (int i = 0; i < 6; ++i) {
    everybody().start([&, i] {
      for (int round = 0; round < rounds(100); ++round) {
        const std::lock_guard lock(guards);
        yield();
      }
      if (i == 5) over = true;
    });
  }
  everybody().join();
}

TEST_P(mutexes, are_destroyed_by_the_next_owner) {
  for (int round = 0; round < rounds(2000); ++round) {
    auto guards = std::make_unique<mutex>();
    guards->lock();
    std::atomic<int> uses = 2;
    const auto use = [&uses, each = guards.get()] {
      each->lock();
      const bool last = --uses == 0;
      each->unlock();
      if (last) delete each;
    };
    mutex* const shared = guards.release();
    everybody().start(use);
    everybody().start(use);
    shared->unlock();
    everybody().join();
  }
}

TEST_P(mutexes, work_with_the_standards_locks) {
  mutex one;
  mutex other;
  long count = 0;
  for (int i = 0; i < 8; ++i) {
    everybody().start([&, i] {
      for (int round = 0; round < rounds(500); ++round) {
        if (i % 2 == 0) {
          const std::scoped_lock both(one, other);
          ++count;
        } else {
          const std::scoped_lock both(other, one);
          ++count;
        }
      }
    });
  }
  everybody().join();
  EXPECT_EQ(count, 8L * rounds(500));
}

using mutex_death = testing::group_test;

TEST_F(mutex_death, an_unlock_by_another_is_reported) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        mutex guards;
        guards.lock();
        std::thread([&guards] { guards.unlock(); }).join();
      },
      "somebody else than its owner");
  EXPECT_DEATH(mutex().unlock(), "somebody else than its owner");
}

TEST_F(mutex_death, a_second_lock_is_reported) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        mutex guards;
        guards.lock();
        guards.lock();
      },
      "locked by its owner");
}

// --- shared mutexes ---

class shared_mutexes : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, shared_mutexes, testing::all_crowds(), testing::crowd_name);

TEST_P(shared_mutexes, readers_are_in_together) {
  constexpr int readers = 6;
  shared_mutex guards;
  semaphore inside(0);
  event all_inside;
  for (int i = 0; i < readers; ++i) {
    everybody().start([&] {
      const std::shared_lock lock(guards);
      inside.release();
      all_inside.wait();
    });
  }
  for (int i = 0; i < readers; ++i) inside.acquire();
  EXPECT_FALSE(guards.try_lock());
  EXPECT_FALSE(guards.try_lock_until(soon()));
  EXPECT_TRUE(guards.try_lock_shared());
  guards.unlock_shared();
  all_inside.set();
  everybody().join();
  EXPECT_TRUE(guards.try_lock());
  EXPECT_FALSE(guards.try_lock_shared());
  EXPECT_FALSE(guards.try_lock_shared_until(soon()));
  guards.unlock();
}

// A reader that comes after a waiting writer waits; and is let in when that gives up.
TEST_P(shared_mutexes, a_waiting_writer_holds_later_readers_back) {
  shared_mutex guards;
  guards.lock_shared();
  std::atomic<bool> writer_left = false;
  everybody().start([&] {
    EXPECT_FALSE(guards.try_lock_until(soon()));
    writer_left = true;
  });
  EXPECT_TRUE(testing::becomes_true([&] {
    if (!guards.try_lock_shared()) return true;
    guards.unlock_shared();
    return writer_left.load();
  }));
  std::atomic<int> let_in = 0;
  for (int i = 0; i < 5; ++i) {
    everybody().start([&] {
      guards.lock_shared();
      ++let_in;
      guards.unlock_shared();
    });
  }
  everybody().join();
  EXPECT_EQ(let_in, 5);
  guards.unlock_shared();
  EXPECT_TRUE(guards.try_lock());
  guards.unlock();
}

TEST_P(shared_mutexes, survive_races_with_deadlines) {
  constexpr int members = 12;
  const int each = rounds(800);
  const unsigned seed = testing::seed();
  shared_mutex guards;
  pair_of_counts inside;
  std::atomic<long> written = 0;
  for (unsigned i = 0; i < members; ++i) {
    everybody().start([&, i] {
      std::mt19937 random(seed + i);
      const auto write = [&] {
        ++written;
        inside.increment();
        guards.unlock();
      };
      const auto read = [&] {
        EXPECT_EQ(inside.first, inside.second);
        if (random() % 2 == 0) yield();
        guards.unlock_shared();
      };
      for (int round = 0; round < each; ++round) {
        const deadline until = within(random, microseconds(30));
        switch (random() % 6) {
          case 0:
            guards.lock();
            write();
            break;
          case 1:
            if (guards.try_lock_until(until)) write();
            break;
          case 2:
            guards.lock_shared();
            read();
            break;
          default:
            if (guards.try_lock_shared_until(until)) read();
            break;
        }
      }
    });
  }
  everybody().join();
  EXPECT_EQ(inside.first, written);
  EXPECT_TRUE(guards.try_lock());
  guards.unlock();
}

// --- condition variables ---

class conditions : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, conditions, testing::all_crowds(), testing::crowd_name);

// A turn goes round: each waits for its own.
TEST_P(conditions, pass_a_turn_round) {
  constexpr int members = 6;
  const int each = rounds(500);
  mutex guards;
  condition_variable changed;
  int turn = 0;
  for (int i = 0; i < members; ++i) {
    everybody().start([&, i] {
      for (int round = 0; round < each; ++round) {
        std::unique_lock lock(guards);
        changed.wait(lock, [&] { return turn % members == i; });
        ++turn;
        changed.notify_all();
      }
    });
  }
  everybody().join();
  EXPECT_EQ(turn, members * each);
}

TEST_P(conditions, deadlines_are_never_early_and_the_mutex_is_locked_again) {
  mutex guards;
  condition_variable changed;
  for (int i = 0; i < 6; ++i) {
    everybody().start([&] {
      std::unique_lock lock(guards);
      const deadline until = soon();
      EXPECT_EQ(changed.wait_until(lock, until), std::cv_status::timeout);
      EXPECT_TRUE(until.passed());
      EXPECT_FALSE(changed.wait_until(lock, long_ago(), [] { return false; }));
      EXPECT_TRUE(changed.wait_until(lock, long_ago(), [] { return true; }));
      EXPECT_TRUE(lock.owns_lock());
    });
  }
  everybody().join();
}

// Each token is announced once, to one that waits: if a deadline swallowed a notification, the last
// token would be there and somebody asleep.
TEST_P(conditions, no_notification_is_lost_to_a_deadline) {
  constexpr int takers = 8;
  const int tokens = rounds(4000);
  const unsigned seed = testing::seed();
  mutex guards;
  condition_variable there;
  int left = 0;
  int taken = 0;
  for (unsigned i = 0; i < takers; ++i) {
    everybody().start([&, i] {
      std::mt19937 random(seed + i);
      std::unique_lock lock(guards);
      while (taken < tokens) {
        if (left > 0) {
          --left;
          if (++taken == tokens) there.notify_all();
        } else if (random() % 2 == 0) {
          there.wait(lock);
        } else {
          there.wait_until(lock, within(random, microseconds(50)));
        }
      }
    });
  }
  for (int token = 0; token < tokens; ++token) {
    const std::lock_guard lock(guards);
    ++left;
    there.notify_one();
  }
  everybody().join();
  EXPECT_EQ(taken, tokens);
  EXPECT_EQ(left, 0);
}

TEST_P(conditions, may_go_once_everybody_was_notified) {
  for (int round = 0; round < rounds(500); ++round) {
    mutex guards;
    auto changed = std::make_unique<condition_variable>();
    int waiting = 0;
    bool over = false;
    for (int i = 0; i < 3; ++i) {
      everybody().start([&] {
        std::unique_lock lock(guards);
        ++waiting;
        changed->wait(lock);
        EXPECT_TRUE(over);
      });
    }
    ASSERT_TRUE(testing::becomes_true([&] {
      const std::lock_guard lock(guards);
      return waiting == 3;
    }));
    std::unique_lock lock(guards);
    over = true;
    changed->notify_all();
    changed.reset();
    lock.unlock();
    everybody().join();
  }
}

}  // namespace
}  // namespace umcg::sync
