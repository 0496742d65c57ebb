// SPDX-License-Identifier: MIT
#include "diagnosis/object_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/unique_fd.hpp"

namespace umcg::diagnosis {

namespace {

bytes map(const char* path) noexcept {
  const base::unique_fd file(::open(path, O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size < sizeof(Elf64_Ehdr)) return {};
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (memory == MAP_FAILED) return {};
  return {static_cast<const std::byte*>(memory), size};
}

std::string_view string_at(bytes strings, std::uint64_t offset) noexcept {
  if (offset >= strings.size()) return {};
  return byte_cursor(strings.subspan(static_cast<std::size_t>(offset))).string();
}

bool is_function(const Elf64_Sym& symbol) noexcept {
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF;
}

}  // namespace

object_file::object_file(const char* path) noexcept : file_(map(path)) {
  constexpr std::size_t identity = 6;
  const char expected[identity] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB};
  if (file_.empty() || std::memcmp(file_.data(), expected, identity) == 0) return;
  ::munmap(const_cast<std::byte*>(file_.data()), file_.size());
  file_ = {};
}

object_file::~object_file() {
  if (!file_.empty()) ::munmap(const_cast<std::byte*>(file_.data()), file_.size());
}

object_file::object_file(object_file&& other) noexcept : file_(std::exchange(other.file_, {})) {}

template <class Entry>
std::span<const Entry> object_file::table(std::uint64_t offset,
                                          std::uint64_t count) const noexcept {
  if (offset % alignof(Entry) != 0 || offset > file_.size() ||
      count > (file_.size() - offset) / sizeof(Entry)) {
    return {};
  }
  return {reinterpret_cast<const Entry*>(file_.data() + offset), static_cast<std::size_t>(count)};
}

std::uint64_t object_file::address_of(std::uint64_t file_offset) const noexcept {
  if (file_.empty()) return file_offset;
  const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(file_.data());
  for (const Elf64_Phdr& part : table<Elf64_Phdr>(header.e_phoff, header.e_phnum)) {
    if (part.p_type != PT_LOAD || file_offset < part.p_offset) continue;
    if (file_offset - part.p_offset < part.p_filesz) {
      return file_offset - part.p_offset + part.p_vaddr;
    }
  }
  return file_offset;
}

std::span<const Elf64_Shdr> object_file::section_headers() const noexcept {
  if (file_.empty()) return {};
  const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(file_.data());
  return table<Elf64_Shdr>(header.e_shoff, header.e_shnum);
}

bytes object_file::contents(const Elf64_Shdr& header) const noexcept {
  if (header.sh_type == SHT_NOBITS || (header.sh_flags & SHF_COMPRESSED) != 0) return {};
  return std::as_bytes(table<std::byte>(header.sh_offset, header.sh_size));
}

bytes object_file::section(std::string_view name) const noexcept {
  const auto headers = section_headers();
  if (headers.empty()) return {};
  const std::size_t names_at = reinterpret_cast<const Elf64_Ehdr*>(file_.data())->e_shstrndx;
  if (names_at >= headers.size()) return {};
  const bytes names = contents(headers[names_at]);
  for (const Elf64_Shdr& each : headers) {
    if (string_at(names, each.sh_name) == name) return contents(each);
  }
  return {};
}

void object_file::find_functions(std::span<location> wanted) const noexcept {
  const auto headers = section_headers();
  for (const Elf64_Shdr& each : headers) {
    const bool is_table = each.sh_type == SHT_SYMTAB || each.sh_type == SHT_DYNSYM;
    if (!is_table || each.sh_link >= headers.size()) continue;
    const bytes names = contents(headers[each.sh_link]);
    for (const Elf64_Sym& symbol :
         table<Elf64_Sym>(each.sh_offset, each.sh_size / sizeof(Elf64_Sym))) {
      if (!is_function(symbol)) continue;
      auto at = std::ranges::lower_bound(wanted, symbol.st_value, {}, &location::in_file);
      for (; at != wanted.end() && at->in_file - symbol.st_value < symbol.st_size; ++at) {
        if (at->function.empty()) at->function = string_at(names, symbol.st_name);
        at->function_begin = symbol.st_value;
      }
    }
  }
}

}  // namespace umcg::diagnosis
