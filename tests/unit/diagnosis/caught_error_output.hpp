// SPDX-License-Identifier: MIT
#pragma once

// Standard error of this process, for as long as the object lives.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "umcg/deadline.hpp"

namespace umcg::testing {

class caught_error_output {
 public:
  caught_error_output() : kept_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    out_.reset(ends[0]);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
  }
  ~caught_error_output() { ::dup2(kept_.get(), STDERR_FILENO); }
  caught_error_output(const caught_error_output&) = delete;
  caught_error_output& operator=(const caught_error_output&) = delete;

  // Where it goes otherwise.
  int kept() const noexcept { return kept_.get(); }

  // All that has been written, once `end` is in it, or the deadline has passed.
  std::string read_until(const std::string& end, deadline until) {
    std::array<char, 4096> part;
    while (text_.find(end) == std::string::npos && !until.passed()) {
      pollfd readable{out_.get(), POLLIN, 0};
      if (::poll(&readable, 1, 10) <= 0) continue;
      const ssize_t count = ::read(out_.get(), part.data(), part.size());
      if (count <= 0) break;
      text_.append(part.data(), static_cast<std::size_t>(count));
    }
    return text_;
  }

 private:
  base::unique_fd kept_;
  base::unique_fd out_;
  std::string text_;
};

}  // namespace umcg::testing
