// SPDX-License-Identifier: MIT
#pragma once

// A test of what every reactor promises, over each of them. The parameter is its name.

#include <string>

#include <gtest/gtest.h>

#include "umcg/group.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg::testing {

class reactor_test : public group_test, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    const std::string missing = why_no_group(GetParam());
    if (!missing.empty()) GTEST_SKIP() << missing;
  }

  static group start(group_options options) {
    options.reactor = GetParam();
    return group::start(options);
  }
};

inline std::string reactor_name(const ::testing::TestParamInfo<const char*>& reactor) {
  return reactor.param;
}

inline auto all_reactors() { return ::testing::Values("io_uring", "epoll"); }

}  // namespace umcg::testing
