// SPDX-License-Identifier: MIT
#pragma once

// An address of code, and what is known about it.

#include <cstdint>
#include <string_view>

namespace umcg::diagnosis {

struct location {
  std::uintptr_t address = 0;
  std::uint64_t in_file = 0;       // the same as the file counts addresses
  std::string_view object = {};    // the path of the file; empty: not known
  std::string_view function = {};  // as linkers know it; empty: not known
  std::string_view readable = {};  // the same as C++ has it; empty: it is not C++, or not known
  std::uint64_t function_begin = 0;
  std::string_view folder = {};
  std::string_view file = {};
  std::uint32_t line = 0;  // 0: not known
};

}  // namespace umcg::diagnosis
