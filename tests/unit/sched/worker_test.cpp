// SPDX-License-Identifier: MIT

// Workers as their spawner sees them: spawned, joined and detached from threads and from workers,
// by handles that behave like std::jthread.

#include "umcg/worker.hpp"

#include <pthread.h>

#include <atomic>
#include <latch>
#include <memory>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "umcg/libumcg.h"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

using std::chrono::milliseconds;
using testing::becomes_true;

class spawning : public testing::group_test, public ::testing::WithParamInterface<unsigned> {
 protected:
  group on = group::start({.servers = GetParam()});
};

INSTANTIATE_TEST_SUITE_P(servers, spawning, ::testing::Values(1, 2, 5));

TEST_P(spawning, runs_the_body_on_a_thread_of_its_own) {
  pthread_t inside = pthread_self();
  on.spawn([&inside] { inside = pthread_self(); }).join();
  EXPECT_FALSE(pthread_equal(inside, pthread_self()));
}

TEST_P(spawning, joins_from_a_worker) {
  std::vector<int> order;
  on.spawn([&] {
      worker inner = on.spawn([&order] {
        yield();
        order.push_back(1);
      });
      inner.join();
      order.push_back(2);
    }).join();
  EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST_P(spawning, joins_from_a_worker_of_another_group) {
  group other = group::start({.servers = 1});
  for (int round = 0; round < 200; ++round) {
    bool ended = false;
    other
        .spawn([&] {
          on.spawn([&ended] {
              yield();
              ended = true;
            }).join();
          EXPECT_TRUE(ended);
        })
        .join();
  }
}

TEST_P(spawning, spawns_from_many_threads_at_once) {
  constexpr int threads = 8;
  constexpr int each = 500;
  std::atomic<int> ran = 0;
  std::vector<std::thread> spawners;
  for (int i = 0; i < threads; ++i) {
    spawners.emplace_back([&] {
      for (int number = 0; number < each; ++number) {
        worker one = on.spawn([&ran] { ++ran; });
        if (number % 2 == 0) one.detach();
      }
    });
  }
  for (std::thread& spawner : spawners) spawner.join();
  on.stop();
  EXPECT_EQ(ran, threads * each);
}

// Everything the body owned is gone when join() returns, however close the two are.
TEST_P(spawning, join_returns_after_the_body_has_been_destroyed) {
  struct slow_to_go {
    explicit slow_to_go(bool& flag) : gone(&flag) {}
    ~slow_to_go() { *gone = true; }
    bool* gone;
  };
  for (int round = 0; round < 2000; ++round) {
    bool gone = false;
    worker one = on.spawn([owned = std::make_unique<slow_to_go>(gone)] {});
    if (round % 2 == 0) yield();
    one.join();
    ASSERT_TRUE(gone) << "round " << round;
  }
}

TEST_P(spawning, join_waits_for_a_worker_that_waits) {
  bool slept = false;
  on.spawn([&slept] {
      sleep_until(testing::soon());
      slept = true;
    }).join();
  EXPECT_TRUE(slept);
}

TEST_P(spawning, a_handle_joins_when_it_goes) {
  bool ended = false;
  {
    const worker one = on.spawn([&ended] {
      yield();
      ended = true;
    });
  }
  EXPECT_TRUE(ended);
}

TEST_P(spawning, a_handle_joins_before_it_takes_another) {
  bool first_ended = false;
  bool second_ended = false;
  worker one = on.spawn([&first_ended] {
    yield();
    first_ended = true;
  });
  worker other = on.spawn([&second_ended] { second_ended = true; });
  one = std::move(other);
  EXPECT_TRUE(first_ended);
  EXPECT_FALSE(other.joinable());  // NOLINT(bugprone-use-after-move): that is what is asked
  EXPECT_TRUE(one.joinable());
  worker& same = one;
  one = std::move(same);
  EXPECT_TRUE(one.joinable());
  one.join();
  EXPECT_TRUE(second_ended);
  EXPECT_FALSE(one.joinable());
  one.join();  // nothing left to do
}

TEST_P(spawning, a_detached_worker_runs_on_and_its_group_waits) {
  std::binary_semaphore may_end(0);
  std::atomic<bool> ended = false;
  worker one = on.spawn([&] {
    while (!may_end.try_acquire()) sleep_until(deadline::after(milliseconds(1)));
    ended = true;
  });
  one.detach();
  EXPECT_FALSE(one.joinable());
  EXPECT_FALSE(ended);
  may_end.release();
  on.stop();
  EXPECT_TRUE(ended);
}

// Worker records are used again: a handle to an earlier run must not wait for a later one.
TEST_P(spawning, a_handle_joins_its_own_run_only) {
  pthread_t first{};
  worker ended = on.spawn([&first] { first = pthread_self(); });
  ASSERT_TRUE(becomes_true([this] { return on.workers() == 0; }));
  std::binary_semaphore may_end(0);
  std::atomic<pthread_t> second{};
  worker later = on.spawn([&] {
    second = pthread_self();
    while (!may_end.try_acquire()) sleep_until(deadline::after(milliseconds(1)));
  });
  ended.join();
  EXPECT_EQ(on.workers(), 1u);
  EXPECT_TRUE(becomes_true([&second] { return second.load() != pthread_t{}; }));
  EXPECT_TRUE(pthread_equal(first, second)) << "the worker was not used again: nothing was tested";
  may_end.release();
}

TEST_P(spawning, workers_counts_those_that_have_not_ended) {
  EXPECT_EQ(on.workers(), 0u);
  for (int round = 0; round < 2000; ++round) {
    worker one = on.spawn([] {});
    one.join();
    ASSERT_EQ(on.workers(), 0u) << "round " << round << ": join() returned before the end";
  }
}

TEST_P(spawning, thread_local_objects_go_with_the_group) {
  static std::atomic<int> alive = 0;
  struct counted {
    counted() { ++alive; }
    ~counted() { --alive; }
  };
  std::latch all_run(3);
  for (int i = 0; i < 3; ++i) {
    on.spawn([&all_run] {
        thread_local const counted object;
        static_cast<void>(&object);
        all_run.count_down();
        // None ends before all have begun, so each has a thread of its own.
        while (!all_run.try_wait()) sleep_until(deadline::after(milliseconds(1)));
      }).detach();
  }
  all_run.wait();
  EXPECT_TRUE(becomes_true([this] { return on.workers() == 0; }));
  EXPECT_EQ(alive, 3);
  on.stop();
  EXPECT_EQ(alive, 0);
}

TEST_P(spawning, a_worker_has_an_id_that_wakes_it) {
  std::atomic<umcg_tid> id = UMCG_NONE;
  bool woken = false;
  worker sleeper = on.spawn([&] {
    id = umcg_get_utid();
    woken = umcg_wait(umcg_get_time_ns() + 5'000'000'000) == 0;
  });
  ASSERT_TRUE(becomes_true([&id] { return id != UMCG_NONE; }));
  EXPECT_NE(umcg_get_task_state(id), static_cast<std::uint64_t>(UMCG_TASK_NONE));
  EXPECT_EQ(umcg_wake(id, false), 0);
  sleeper.join();
  EXPECT_TRUE(woken);
}

using worker_handle = testing::group_test;

TEST_F(worker_handle, refers_to_nothing_by_default) {
  worker none;
  EXPECT_FALSE(none.joinable());
  none.join();
  none.detach();
  worker moved = std::move(none);
  EXPECT_FALSE(moved.joinable());
}

using worker_death = testing::group_test;

TEST_F(worker_death, an_exception_that_leaves_the_body_ends_the_program) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        group on = group::start({.servers = 1});
        on.spawn([] { throw std::runtime_error("nobody catches this"); }).join();
      },
      "terminate called|nobody catches this");
}

}  // namespace
}  // namespace umcg
