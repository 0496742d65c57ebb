// SPDX-License-Identifier: MIT

// A group that has nothing to do uses no CPU.

#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <atomic>
#include <chrono>

#include <gtest/gtest.h>

#include "umcg/worker.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

using std::chrono::microseconds;

microseconds cpu_used() {
  rusage usage{};
  EXPECT_EQ(::getrusage(RUSAGE_SELF, &usage), 0);
  const auto of = [](const timeval& time) {
    return microseconds(std::chrono::seconds(time.tv_sec)) + microseconds(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

class idle_group : public testing::group_test, public ::testing::WithParamInterface<unsigned> {};

INSTANTIATE_TEST_SUITE_P(servers, idle_group, ::testing::Values(1, 4, 64));

// Workers have run on it, and some wait: for an hour, and for one another.
TEST_P(idle_group, uses_no_cpu) {
  group on = group::start({.servers = GetParam()});
  std::atomic<int> ran = 0;
  std::atomic<bool> ended = false;
  for (int i = 0; i < 200; ++i) on.spawn([&ran] { ++ran; }).detach();
  worker waiting = on.spawn([&] {
    while (!ended) sleep_until(deadline::after(std::chrono::milliseconds(1500)));
  });
  worker joining = on.spawn([&] { waiting.join(); });
  ASSERT_TRUE(testing::becomes_true([&] { return ran == 200 && on.workers() == 2; }));
  // This is the one place where a test has to let time pass: what is measured is what happens while
  // nothing does. It is bounded, and a machine under load makes it pass rather than fail.
  const microseconds before = cpu_used();
  ASSERT_EQ(::poll(nullptr, 0, 1000), 0);
  const microseconds used = cpu_used() - before;
  RecordProperty("cpu_microseconds", std::to_string(used.count()));
  std::printf("%u servers used %lld us of CPU in an idle second\n", GetParam(),
              static_cast<long long>(used.count()));
  EXPECT_LT(used, std::chrono::milliseconds(10));
  ended = true;
}

}  // namespace
}  // namespace umcg
