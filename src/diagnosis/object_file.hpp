// SPDX-License-Identifier: MIT
#pragma once

// An ELF file, mapped for reading: its functions by address, and the sections that say which line
// an address belongs to. Everything in it is checked against its size.

#include <elf.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "diagnosis/byte_cursor.hpp"
#include "diagnosis/location.hpp"

namespace umcg::diagnosis {

class object_file {
 public:
  // `path` ends with a zero. A file that cannot be read, or is none, has nothing in it.
  explicit object_file(const char* path) noexcept;
  ~object_file();
  object_file(object_file&& other) noexcept;
  object_file& operator=(object_file&&) = delete;
  object_file(const object_file&) = delete;
  object_file& operator=(const object_file&) = delete;

  // The address, as the file counts them, of what lies at `file_offset` of its code.
  std::uint64_t address_of(std::uint64_t file_offset) const noexcept;

  // The contents of a section; empty when there is none, or it is compressed.
  bytes section(std::string_view name) const noexcept;

  // Fills in the functions of those locations whose file addresses lie in one. In the order of
  // these addresses. The names are the file's, and go with it.
  void find_functions(std::span<location> wanted) const noexcept;

 private:
  bytes contents(const Elf64_Shdr& header) const noexcept;
  std::span<const Elf64_Shdr> section_headers() const noexcept;
  template <class Entry>
  std::span<const Entry> table(std::uint64_t offset, std::uint64_t count) const noexcept;

  bytes file_;
};

}  // namespace umcg::diagnosis
