// SPDX-License-Identifier: MIT

// Condition variables of the C and C++ libraries between workers and threads, in a program that has
// opted in. A signal that is lost is a test that hangs.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <thread>

#include "unit/sync/crowd.hpp"

namespace umcg::posix {
namespace {

using std::chrono::microseconds;
using testing::rounds;
using testing::within;

class posix_conditions : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, posix_conditions, testing::all_crowds(), testing::crowd_name);

// A turn goes round: each waits for its own.
TEST_P(posix_conditions, pass_a_turn_round) {
  constexpr int members = 6;
  const int each = rounds(150);
  std::mutex guards;
  std::condition_variable changed;
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

TEST_P(posix_conditions, deadlines_are_never_early_and_the_mutex_is_locked_again) {
  std::mutex guards;
  std::condition_variable changed;
  for (int i = 0; i < 6; ++i) {
    everybody().start([&, i] {
      std::unique_lock lock(guards);
      const auto never = [] { return false; };
      if (i % 2 == 0) {
        const auto until = std::chrono::steady_clock::now() + microseconds(500);
        EXPECT_FALSE(changed.wait_until(lock, until, never));
        EXPECT_GE(std::chrono::steady_clock::now(), until);
      } else {
        const auto until = std::chrono::system_clock::now() + microseconds(500);
        EXPECT_FALSE(changed.wait_until(lock, until, never));
        EXPECT_GE(std::chrono::system_clock::now(), until);
      }
      EXPECT_TRUE(lock.owns_lock());
      EXPECT_FALSE(changed.wait_until(lock, std::chrono::steady_clock::time_point(), never));
    });
  }
  everybody().join();
}

// The clock of pthread_cond_timedwait is the condition variable's.
TEST_P(posix_conditions, know_their_clock) {
  pthread_condattr_t attributes;
  pthread_cond_t changed;
  pthread_mutex_t guards = PTHREAD_MUTEX_INITIALIZER;
  ::pthread_condattr_init(&attributes);
  ::pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  ::pthread_cond_init(&changed, &attributes);
  ::pthread_condattr_destroy(&attributes);
  for (int i = 0; i < 6; ++i) {
    everybody().start([&] {
      timespec now{};
      ::clock_gettime(CLOCK_MONOTONIC, &now);
      const timespec no_time{.tv_sec = 0, .tv_nsec = 1'000'000'000};
      ::pthread_mutex_lock(&guards);
      EXPECT_EQ(::pthread_cond_timedwait(&changed, &guards, &now), ETIMEDOUT);
      EXPECT_EQ(::pthread_cond_timedwait(&changed, &guards, &no_time), EINVAL);
      ::pthread_mutex_unlock(&guards);
    });
  }
  everybody().join();
  EXPECT_EQ(::pthread_cond_destroy(&changed), 0);
}

// Each token is announced once, to one that waits: if a deadline swallowed a notification, the last
// token would be there and somebody asleep.
TEST_P(posix_conditions, lose_no_notification_to_a_deadline) {
  constexpr int takers = 8;
  const int tokens = rounds(1500);
  const unsigned seed = testing::seed();
  std::mutex guards;
  std::condition_variable there;
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
          there.wait_until(lock, within(random, microseconds(50)).when());
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

TEST_P(posix_conditions, may_go_once_everybody_was_notified) {
  for (int round = 0; round < rounds(200); ++round) {
    std::mutex guards;
    auto changed = std::make_unique<std::condition_variable>();
    int waiting = 0;
    bool over = false;
    for (int i = 0; i < 3; ++i) {
      everybody().start([&] {
        std::unique_lock lock(guards);
        ++waiting;
        while (!over) changed->wait(lock);
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

// A queue with room for four, as programs have it.
template <class Condition>
class bounded_queue {
 public:
  void push(int value) {
    std::unique_lock lock(guards_);
    has_room_.wait(lock, [this] { return values_.size() < 4; });
    values_.push_back(value);
    has_values_.notify_one();
  }
  int pop() {
    std::unique_lock lock(guards_);
    has_values_.wait(lock, [this] { return !values_.empty(); });
    const int value = values_.front();
    values_.pop_front();
    has_room_.notify_one();
    return value;
  }

 private:
  std::mutex guards_;
  Condition has_room_;
  Condition has_values_;
  std::deque<int> values_;
};

template <class Condition>
void produce_and_consume(testing::crowd& everybody) {
  constexpr int pairs = 4;
  const int each = rounds(300);
  bounded_queue<Condition> between;
  std::atomic<long> sum = 0;
  for (int i = 0; i < pairs; ++i) {
    everybody.start([&] {
      for (int value = 1; value <= each; ++value) between.push(value);
    });
    everybody.start([&] {
      for (int left = each; left > 0; --left) sum += between.pop();
    });
  }
  everybody.join();
  EXPECT_EQ(sum, long{pairs} * each * (each + 1) / 2);
}

TEST_P(posix_conditions, let_producers_and_consumers_meet) {
  produce_and_consume<std::condition_variable>(everybody());
  produce_and_consume<std::condition_variable_any>(everybody());
}

class posix_waits : public testing::group_test {};

// Nobody watches for workers that block: if one did, this would hang.
TEST_F(posix_waits, block_no_kernel_thread) {
  constexpr int members = 50;
  group on = group::start({.servers = 1, .hand_off = {.watch = "off"}});
  std::mutex guards;
  std::condition_variable changed;
  int turn = 0;
  std::vector<worker> workers;
  for (int i = 0; i < members; ++i) {
    workers.push_back(on.spawn([&, i] {
      std::unique_lock lock(guards);
      changed.wait(lock, [&] { return turn == members - i; });
      ++turn;
      changed.notify_all();
    }));
  }
  EXPECT_TRUE(testing::becomes_true(
      [&] { return on.counters().blocks_for(wait_reason::pthread_condition) >= members; }));
  {
    const std::lock_guard lock(guards);
    turn = 1;
    changed.notify_all();
  }
  for (worker& each : workers) each.join();
  EXPECT_EQ(turn, members + 1);
  const counters seen = on.counters();
  EXPECT_EQ(std::accumulate(seen.handoffs.begin(), seen.handoffs.end(), std::uint64_t{0}), 0U);
}

struct cancellable_wait {
  pthread_mutex_t guards = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
  std::atomic<bool> begun{false};
};

void unlock_guards(void* of) {
  ::pthread_mutex_unlock(&static_cast<cancellable_wait*>(of)->guards);
}

void* wait_to_be_cancelled(void* place) {
  auto& here = *static_cast<cancellable_wait*>(place);
  ::pthread_mutex_lock(&here.guards);
  pthread_cleanup_push(unlock_guards, place);
  here.begun = true;
  for (;;) ::pthread_cond_wait(&here.changed, &here.guards);
  pthread_cleanup_pop(1);
}

// A thread is cancelled in it as ever; and what it has left behind in the line is nothing: workers
// wait for the mutex without blocking afterwards.
TEST_F(posix_waits, are_where_threads_are_cancelled) {
  cancellable_wait place;
  pthread_mutex_t& guards = place.guards;
  pthread_t thread;
  ASSERT_EQ(::pthread_create(&thread, nullptr, wait_to_be_cancelled, &place), 0);
  EXPECT_TRUE(testing::becomes_true([&] { return place.begun.load(); }));
  EXPECT_EQ(::pthread_cancel(thread), 0);
  void* result = nullptr;
  EXPECT_EQ(::pthread_join(thread, &result), 0);
  EXPECT_EQ(result, PTHREAD_CANCELED);
  group on = group::start({.servers = 1, .hand_off = {.watch = "off"}});
  ::pthread_mutex_lock(&guards);
  worker one = on.spawn([&] {
    ::pthread_mutex_lock(&guards);
    ::pthread_mutex_unlock(&guards);
  });
  EXPECT_TRUE(testing::becomes_true(
      [&] { return on.counters().blocks_for(wait_reason::pthread_mutex) == 1; }));
  ::pthread_mutex_unlock(&guards);
  one.join();
}

}  // namespace
}  // namespace umcg::posix
