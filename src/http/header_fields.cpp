// SPDX-License-Identifier: MIT

#include "umcg/http/header_fields.hpp"

#include "http/field_line.hpp"

namespace umcg::http {
namespace {

constexpr unsigned char lower(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 'A' && byte <= 'Z' ? static_cast<unsigned char>(byte | 0x20) : byte;
}

}  // namespace

bool equal_ignoring_case(std::string_view left, std::string_view right) noexcept {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

// The lines were checked when they were parsed or written, so only their marks are looked for.
void header_fields::iterator::load() noexcept {
  if (rest_.empty()) {
    line_ = nullptr;
    return;
  }
  line_ = rest_.data();
  const std::size_t colon = rest_.find(':');
  const std::size_t line_end = rest_.find('\r', colon);
  field_.name = rest_.substr(0, colon);
  field_.value = without_whitespace(line_ + colon + 1, line_ + line_end);
  rest_.remove_prefix(line_end + 2);
}

std::optional<std::string_view> header_fields::find(std::string_view name) const noexcept {
  for (const header_field& field : *this) {
    if (equal_ignoring_case(field.name, name)) return field.value;
  }
  return std::nullopt;
}

}  // namespace umcg::http
