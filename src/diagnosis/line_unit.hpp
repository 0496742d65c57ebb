// SPDX-License-Identifier: MIT
#pragma once

// The header of one line program: how its opcodes are to be read, and the names of its files.

#include <cstdint>
#include <string_view>

#include "diagnosis/byte_cursor.hpp"

namespace umcg::diagnosis {

struct line_sections;

struct source_name {
  std::string_view folder;
  std::string_view file;
};

class line_unit {
 public:
  // Takes the unit off `rest`.
  line_unit(byte_cursor& rest, const line_sections& sections) noexcept;

  bool valid() const noexcept { return valid_; }
  bytes program() const noexcept { return program_; }
  unsigned first_special() const noexcept { return first_special_; }
  unsigned line_range() const noexcept { return line_range_; }
  int line_base() const noexcept { return line_base_; }
  unsigned instruction_bytes_min() const noexcept { return instruction_bytes_min_; }
  // How many operands a standard opcode has.
  unsigned operands(unsigned opcode) const noexcept;

  // Of the file of that number. Looked up in the header each time: few are asked for.
  source_name name_of_file(std::uint64_t number) const noexcept;

 private:
  struct entry {
    std::string_view name;
    std::uint64_t folder = 0;
  };
  entry find_entry(byte_cursor& table, std::uint64_t number) const noexcept;
  source_name find_in_old_tables(std::uint64_t number) const noexcept;
  void read_field(byte_cursor& table, std::uint64_t kind, std::uint64_t its_form,
                  entry& into) const noexcept;
  std::string_view read_string(byte_cursor& table, std::uint64_t its_form) const noexcept;

  const line_sections& sections_;
  bool valid_ = false;
  bool wide_ = false;
  unsigned version_ = 0;
  unsigned first_special_ = 0;
  unsigned line_range_ = 0;
  int line_base_ = 0;
  unsigned instruction_bytes_min_ = 0;
  bytes operand_counts_;
  bytes tables_;
  bytes program_;
};

}  // namespace umcg::diagnosis
