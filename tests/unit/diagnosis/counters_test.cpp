// SPDX-License-Identifier: MIT

// What a group counts, and what it says when nothing can happen any more.
#include "umcg/counters.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "libumcg/counters_state.hpp"
#include "umcg/blocking_region.hpp"
#include "umcg/group.hpp"
#include "umcg/sync.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

using namespace std::chrono_literals;

class group_counters : public testing::group_test {};

TEST_F(group_counters, TellWhatWorkersHaveWaitedFor) {
  constexpr std::uint64_t times = 100;
  group running = group::start({.servers = 1});
  sync::semaphore ping(0);
  sync::semaphore pong(0);
  worker one = running.spawn([&] {
    for (std::uint64_t i = 0; i < times; ++i) {
      ping.release();
      pong.acquire();
    }
  });
  worker two = running.spawn([&] {
    for (std::uint64_t i = 0; i < times; ++i) {
      ping.acquire();
      pong.release();
    }
    sleep_until(deadline::after(1ms));
  });
  one.join();
  two.join();
  const counters now = running.counters();
  EXPECT_GE(now.blocks_for(wait_reason::semaphore), times);
  EXPECT_LE(now.blocks_for(wait_reason::semaphore), 2 * times);
  EXPECT_EQ(now.blocks_for(wait_reason::sleep), 1U);
  EXPECT_EQ(now.blocks_for(wait_reason::mutex), 0U);
  EXPECT_GE(now.switches, now.blocks_for(wait_reason::semaphore));
  EXPECT_EQ(now.preemptions, 0U);
  EXPECT_GT(std::accumulate(now.run_delays.begin(), now.run_delays.end(), std::uint64_t{0}), 0U);
}

TEST_F(group_counters, TellHandOffsAndCarriers) {
  constexpr int times = 10;
  group running = group::start({.servers = 1});
  running
      .spawn([] {
        for (int i = 0; i < times; ++i) const blocking_region region;
      })
      .join();
  const counters now = running.counters();
  EXPECT_EQ(now.handoffs_by(handoff_cause::blocking_region), std::uint64_t{times});
  EXPECT_EQ(now.blocks_for(wait_reason::blocking_region), std::uint64_t{times});
  EXPECT_EQ(now.handoffs_by(handoff_cause::quantum), 0U);
  EXPECT_LE(now.spare_carriers, now.carriers);
}

TEST(server_counters, PutDelaysIntoBucketsOfPowersOfTwo) {
  libumcg::server_counters counted;
  using std::chrono::microseconds;
  for (const auto delay : {microseconds(0), microseconds(1), microseconds(2), microseconds(3),
                           microseconds(4), microseconds(std::chrono::hours(1))}) {
    counted.count_run_delay(delay);
  }
  counted.count_run_delay(std::chrono::nanoseconds(-1));  // clocks of two CPUs
  counters sums;
  counted.add_to(sums);
  EXPECT_EQ(sums.run_delays[0], 2U);  // below 1 us
  EXPECT_EQ(sums.run_delays[1], 1U);  // below 2 us
  EXPECT_EQ(sums.run_delays[2], 2U);  // below 4 us
  EXPECT_EQ(sums.run_delays[3], 1U);
  EXPECT_EQ(sums.run_delays.back(), 1U);
  counted.reset();
  counters after;
  counted.add_to(after);
  EXPECT_EQ(after.run_delays, counters().run_delays);
}

TEST(server_counters, HaveANameForEachReason) {
  for (std::size_t at = 1; at < wait_reasons; ++at) {
    EXPECT_STRNE(name_of(static_cast<wait_reason>(at)), name_of(wait_reason::other));
  }
  EXPECT_STREQ(name_of(wait_reason::blocking_region), "blocking region");
  EXPECT_STREQ(name_of(static_cast<wait_reason>(wait_reasons)), name_of(wait_reason::other));
}

}  // namespace
}  // namespace umcg
