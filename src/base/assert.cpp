// SPDX-License-Identifier: MIT
// A broken invariant is printed without stdio or malloc, whose locks a worker may own.
#include "base/assert.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace umcg::base {

namespace {

iovec piece(const char* text) { return {const_cast<char*>(text), std::strlen(text)}; }

}  // namespace

void assert_failed(const char* condition, const char* file, int line) noexcept {
  std::array<char, 16> number{};
  std::to_chars(number.data(), number.data() + number.size() - 1, line);
  const std::array parts{piece("umcg: broken invariant: "),
                         piece(condition),
                         piece(" at "),
                         piece(file),
                         piece(":"),
                         piece(number.data()),
                         piece("\n")};
  [[maybe_unused]] const auto written =
      ::writev(STDERR_FILENO, parts.data(), static_cast<int>(parts.size()));
  std::abort();
}

}  // namespace umcg::base
