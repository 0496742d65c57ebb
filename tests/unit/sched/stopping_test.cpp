// SPDX-License-Identifier: MIT

// How a group ends: after its last worker, whatever the workers do until then. And what it keeps
// meanwhile: the threads of its servers, and no more workers than it needed at once.

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernel/usermode/spares.hpp"
#include "umcg/worker.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

using std::chrono::milliseconds;
using testing::becomes_true;

class stopping : public testing::group_test, public ::testing::WithParamInterface<unsigned> {
 public:
  group on = group::start({.servers = GetParam()});
  std::atomic<int> ran = 0;
};

INSTANTIATE_TEST_SUITE_P(servers, stopping, ::testing::Values(1, 2, 16));

TEST_P(stopping, an_unused_group_ends) {
  on.stop();
  on.stop();
}

// Each spawns the next and ends, so for most of the time there is one.
TEST_P(stopping, waits_for_workers_that_spawn_others) {
  struct next_one {
    stopping& test;
    int left;
    void operator()() const {
      ++test.ran;
      if (left > 0) test.on.spawn(next_one{test, left - 1}).detach();
    }
  };
  on.spawn(next_one{*this, 2000}).detach();
  on.stop();
  EXPECT_EQ(ran, 2001);
  EXPECT_EQ(on.workers(), 0u);
}

TEST_P(stopping, waits_for_a_tree_of_workers) {
  struct branch {
    stopping& test;
    int height;
    void operator()() const {
      ++test.ran;
      if (height == 0) return;
      test.on.spawn(branch{test, height - 1}).detach();
      test.on.spawn(branch{test, height - 1}).detach();
    }
  };
  on.spawn(branch{*this, 10}).detach();
  on.stop();
  EXPECT_EQ(ran, (1 << 11) - 1);
}

TEST_P(stopping, waits_for_workers_that_sleep) {
  for (int i = 0; i < 100; ++i) {
    on.spawn([this, i] {
        sleep_until(deadline::after(milliseconds(i % 7)));
        on.spawn([this] {
            sleep_until(deadline::after(milliseconds(3)));
            ++ran;
          }).detach();
      }).detach();
  }
  on.stop();
  EXPECT_EQ(ran, 100);
}

TEST_P(stopping, the_destructor_stops_and_a_moved_group_is_the_same) {
  {
    group moved = std::move(on);
    moved
        .spawn([this] {
          yield();
          ++ran;
        })
        .detach();
    on = std::move(moved);
    on.spawn([this] { ++ran; }).detach();
    const group last = std::move(on);
    EXPECT_EQ(last.servers(), GetParam());
  }
  EXPECT_EQ(ran, 2);
}

// What a process keeps when its groups are gone: the monitor, the maker of carriers, and the spares
// that are ready.
constexpr std::size_t threads_without_servers =
    1 + testing::hang_limit::threads + (testing::thread_sanitizer ? 1 : 0) +
    testing::threads_of_diagnosis + 2 + kernel::usermode::ready_least;

TEST_P(stopping, ends_all_its_threads) {
  for (int i = 0; i < 50; ++i) on.spawn([this] { ++ran; }).detach();
  on.stop();
  // The maker makes the spares in its own time, and a thread needs a moment to be gone.
  EXPECT_TRUE(becomes_true([] { return testing::kernel_threads() == threads_without_servers; }))
      << testing::kernel_threads() << " kernel threads, expected " << threads_without_servers;
}

using pool = stopping;
INSTANTIATE_TEST_SUITE_P(servers, pool, ::testing::Values(1, 2));

// One after the other they need one thread, which the pool keeps for the next.
TEST_P(pool, short_workers_share_few_threads) {
  std::set<pthread_t> threads;
  for (int i = 0; i < 10'000; ++i) {
    pthread_t inside{};
    on.spawn([&inside] { inside = pthread_self(); }).join();
    threads.insert(inside);
    ASSERT_TRUE(becomes_true([this] { return on.workers() == 0; }));
  }
  EXPECT_EQ(threads.size(), 1u);
}

// Workers cost no kernel threads: not those that run, not those that wait, not those in the pool.
TEST_P(pool, workers_are_no_kernel_threads) {
  // A server has its home, its doorbell, and the spare that is kept for it.
  const std::size_t at_home = threads_without_servers + 3 * GetParam();
  // A server that was handed off runs on one more, while its home rests.
  const auto are_few = [&] {
    const auto by_cause = on.counters().handoffs;
    const bool any = std::ranges::any_of(by_cause, [](std::uint64_t count) { return count != 0; });
    return testing::kernel_threads() <= at_home + (any ? GetParam() : 0);
  };
  std::atomic<bool> may_end = false;
  std::atomic<int> waiting = 0;
  for (int i = 0; i < 2000; ++i) {
    on.spawn([&] {
        ++waiting;
        while (!may_end) sleep_until(deadline::after(milliseconds(20)));
      }).detach();
  }
  EXPECT_TRUE(becomes_true([&] { return waiting == 2000; }));
  // A kernel thread that has given its worker away needs a moment to be gone.
  EXPECT_TRUE(becomes_true(are_few))
      << testing::kernel_threads() << " kernel threads, expected " << at_home;
  may_end = true;
  EXPECT_TRUE(becomes_true([this] { return on.workers() == 0; }));
  EXPECT_TRUE(becomes_true(are_few))
      << testing::kernel_threads() << " kernel threads, expected " << at_home;
}

}  // namespace
}  // namespace umcg
