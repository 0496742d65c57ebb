// SPDX-License-Identifier: MIT
#pragma once

// What the tests of groups share: a skip with the reason where this machine cannot have one, and
// how many threads there are.

#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

#include "umcg/group.hpp"
#include "unit/sched/time_limits.hpp"

namespace umcg::testing {

// Why no group can be had here; empty if it can.
inline std::string why_no_group(const std::string& reactor = "auto") {
  try {
    const group probe = group::start({.servers = 1, .reactor = reactor});
    return {};
  } catch (const std::system_error& problem) {
    if (problem.code() != std::errc::function_not_supported) throw;
    return problem.what();
  }
}

class group_test : public ::testing::Test {
 protected:
  void SetUp() override {
    static const std::string missing = why_no_group();
    if (!missing.empty()) GTEST_SKIP() << missing;
  }

 private:
  const hang_limit limit_;
};

// The first group starts these, and they stay: the attendant, and the one for C++ names.
inline constexpr std::size_t threads_of_diagnosis = 2;

// The kernel threads of this process.
inline std::size_t kernel_threads() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

// Returns whether `holds()` becomes true in time. Lets other threads run meanwhile: for what no
// one announces, such as the end of a kernel thread.
template <class Condition>
bool becomes_true(Condition holds) {
  const deadline limit = patience();
  while (!holds()) {
    if (limit.passed()) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace umcg::testing
