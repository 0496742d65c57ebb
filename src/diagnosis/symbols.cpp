// SPDX-License-Identifier: MIT
#include "diagnosis/symbols.hpp"

#include <algorithm>

#include "diagnosis/demangler.hpp"
#include "diagnosis/line_table.hpp"
#include "umcg/deadline.hpp"

namespace umcg::diagnosis {

namespace {

constexpr std::size_t text_bytes_max = std::size_t{1} << 20;
constexpr std::chrono::milliseconds names_take_at_most(500);

}  // namespace

symbols::symbols() noexcept : text_(text_bytes_max) {}

void symbols::resolve(std::span<location> wanted) noexcept {
  for (const code_mapping& mapping : code_.mappings()) {
    const auto begin = std::ranges::lower_bound(wanted, mapping.begin, {}, &location::address);
    const auto end = std::ranges::lower_bound(wanted, mapping.end, {}, &location::address);
    if (begin != end && !mapping.path.empty()) resolve_in_file(mapping, {begin, end});
  }
  make_readable(wanted);
}

void symbols::resolve_in_file(const code_mapping& mapping, std::span<location> wanted) noexcept {
  if (files_used_ == files_max) return;
  const object_file& file = files_[files_used_++].emplace(mapping.path.data());
  for (location& each : wanted) {
    each.object = mapping.path;
    each.in_file = file.address_of(each.address - mapping.begin + mapping.file_offset);
  }
  file.find_functions(wanted);
  const line_sections sections{file.section(".debug_line"), file.section(".debug_line_str"),
                               file.section(".debug_str")};
  find_lines(sections, wanted);
}

void symbols::make_readable(std::span<location> wanted) noexcept {
  const deadline until = deadline::after(names_take_at_most);
  for (location& each : wanted) {
    if (!each.function.starts_with("_Z")) continue;
    const auto room = text_.room();
    const std::size_t size = demangle(each.function, room, until);
    text_.resize(text_.size() + size);
    each.readable = {room.data(), size};
  }
}

}  // namespace umcg::diagnosis
