// SPDX-License-Identifier: MIT
#pragma once

// A pipe whose reader blocks its kernel thread.

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"

namespace umcg::testing {

// What a library of somebody else's does: read(2) itself.
class byte_pipe {
 public:
  byte_pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    out_.reset(ends[0]);
    in_.reset(ends[1]);
  }
  void wait_for_byte() const {
    char byte;
    EXPECT_EQ(::read(out_.get(), &byte, 1), 1);
  }
  void send_bytes(std::size_t count) const {
    const std::string bytes(count, 'x');
    EXPECT_EQ(::write(in_.get(), bytes.data(), count), static_cast<ssize_t>(count));
  }

 private:
  base::unique_fd out_;
  base::unique_fd in_;
};

}  // namespace umcg::testing
