// SPDX-License-Identifier: MIT
#pragma once

// Which source line an address belongs to: the line programs of DWARF 2 to 5 (its chapter 6.2). An
// own reader, because those of libraries allocate, and a stuck worker may own malloc's lock.

#include <span>

#include "diagnosis/byte_cursor.hpp"
#include "diagnosis/location.hpp"

namespace umcg::diagnosis {

struct line_sections {
  bytes lines;         // .debug_line
  bytes line_strings;  // .debug_line_str
  bytes strings;       // .debug_str
};

// Fills in folders, files and lines of those locations whose file addresses the sections know. In
// the order of these addresses. The names are those of the sections, and go with them.
void find_lines(const line_sections& sections, std::span<location> wanted) noexcept;

}  // namespace umcg::diagnosis
