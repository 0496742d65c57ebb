// SPDX-License-Identifier: MIT
#pragma once

// For tests of workers that lose their servers: a group of as many servers as the parameter says.

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "umcg/group.hpp"
#include "umcg/worker.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg::testing {

class hand_off_stage : public ::testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    if (on.description().find("usermode") == std::string::npos) GTEST_SKIP() << on.description();
  }

  // Others run, and wait, and run again.
  void others_go_on() {
    for (int round = 0; round < 50; ++round) {
      on.spawn([] { sleep_until(deadline::after(std::chrono::milliseconds(1))); }).join();
    }
  }

  testing::hang_limit limit;
  group on = group::start({.servers = GetParam()});
};

}  // namespace umcg::testing
