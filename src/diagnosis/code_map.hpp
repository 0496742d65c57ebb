// SPDX-License-Identifier: MIT
#pragma once

// Where code lies in this process's memory, and in which file it is kept: /proc/self/maps, read
// anew for each dump. dl_iterate_phdr() would take the loader's lock.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "diagnosis/mapped_array.hpp"

namespace umcg::diagnosis {

struct code_mapping {
  std::uintptr_t begin;
  std::uintptr_t end;
  std::uint64_t file_offset;
  std::string_view path;  // ends with a zero; empty: no file
};

class code_map {
 public:
  code_map() noexcept;

  // In the order of their addresses.
  std::span<const code_mapping> mappings() noexcept { return mappings_.all(); }
  // Null: no code is there.
  const code_mapping* find(std::uintptr_t address) noexcept;
  // Whether a call may return to `address`: the instruction before it calls.
  bool follows_call(std::uintptr_t address) noexcept;

 private:
  void read_file() noexcept;
  void add(std::string_view line) noexcept;

  mapped_array<char> text_;
  mapped_array<code_mapping> mappings_;
};

}  // namespace umcg::diagnosis
