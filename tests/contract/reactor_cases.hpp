// SPDX-License-Identifier: MIT
#pragma once

// The table of what every reactor promises about sockets, deadlines and cancellation. What only
// the real kernel has - files, pipes, epoll sets - is in unit/io.

#include <array>
#include <ostream>
#include <span>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

#include "contract/reactor_stage.hpp"

namespace umcg::contract {

struct named_case {
  const char* name;
  reactor_case play;
  // It counts on finding what is there at once. Elsewhere a simulated kernel may say EAGAIN first.
  bool in_sight = false;
};

// As googletest calls it.
inline void PrintTo(const named_case& of, std::ostream* out) { *out << of.name; }  // NOLINT

std::span<const named_case> receiving_cases();
std::span<const named_case> sending_cases();
std::span<const named_case> ending_cases();

// What a call fills in.
struct outcome {
  std::array<std::byte, 64> into{};
  std::error_code error = std::make_error_code(std::errc::io_error);

  std::string received(std::size_t count) const {
    return {reinterpret_cast<const char*>(into.data()), count};
  }
  // A peer that has gone shows as one or the other.
  void expect_gone() const {
    EXPECT_TRUE(error == std::errc::connection_reset || error == std::errc::broken_pipe)
        << error.message();
  }
};

}  // namespace umcg::contract
