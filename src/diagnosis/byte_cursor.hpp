// SPDX-License-Identifier: MIT
#pragma once

// Reads numbers and strings of a file in memory, never past its end: what is not there reads as
// zero or empty, and at_end() is true from then on.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace umcg::diagnosis {

using bytes = std::span<const std::byte>;

class byte_cursor {
 public:
  explicit byte_cursor(bytes all) noexcept : rest_(all) {}

  bool at_end() const noexcept { return rest_.empty(); }
  bytes rest() const noexcept { return rest_; }

  bytes take(std::uint64_t count) noexcept {
    const std::size_t size = count < rest_.size() ? static_cast<std::size_t>(count) : rest_.size();
    const bytes taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  void skip(std::uint64_t count) noexcept { take(count); }

  // In the byte order of this machine.
  template <class Number>
  Number fixed() noexcept {
    Number value{};
    const bytes taken = take(sizeof value);
    if (taken.size() == sizeof value) std::memcpy(&value, taken.data(), sizeof value);
    return value;
  }
  // DWARF's offsets: of four or of eight bytes.
  std::uint64_t offset(bool wide) noexcept {
    return wide ? fixed<std::uint64_t>() : fixed<std::uint32_t>();
  }

  std::uint64_t unsigned_leb() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; !at_end(); shift += 7) {
      const auto byte = fixed<std::uint8_t>();
      if (shift < 64) value |= std::uint64_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) == 0) break;
    }
    return value;
  }
  std::int64_t signed_leb() noexcept {
    std::uint64_t value = 0;
    unsigned shift = 0;
    while (!at_end()) {
      const auto byte = fixed<std::uint8_t>();
      if (shift < 64) value |= std::uint64_t{byte & 0x7fU} << shift;
      shift += 7;
      if ((byte & 0x80U) != 0) continue;
      if (shift < 64 && (byte & 0x40U) != 0) value |= ~std::uint64_t{0} << shift;
      break;
    }
    return static_cast<std::int64_t>(value);
  }

  // Up to a zero, which is skipped.
  std::string_view string() noexcept {
    const auto* text = reinterpret_cast<const char*>(rest_.data());
    const std::size_t size = rest_.empty() ? 0 : ::strnlen(text, rest_.size());
    skip(size + 1);
    return {text, size};
  }

 private:
  bytes rest_;
};

}  // namespace umcg::diagnosis
