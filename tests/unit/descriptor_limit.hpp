// SPDX-License-Identifier: MIT
#pragma once

// A process that is out of descriptors.

#include <sys/resource.h>

#include <gtest/gtest.h>

namespace umcg::testing {

// Those that are open stay open.
class no_more_descriptors {
 public:
  no_more_descriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &usual_), 0);
    const rlimit none{3, usual_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  no_more_descriptors(const no_more_descriptors&) = delete;
  no_more_descriptors& operator=(const no_more_descriptors&) = delete;
  ~no_more_descriptors() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &usual_), 0); }

 private:
  rlimit usual_{};
};

}  // namespace umcg::testing
