// SPDX-License-Identifier: MIT
#pragma once

// The Date field's value, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), kept for as long as the
// second lasts. Each connection has one, so that nothing is shared; writing a new one takes less
// than sharing would.

#include <array>
#include <cstdint>
#include <string_view>

namespace umcg::http {

inline constexpr std::size_t date_bytes = 29;

// Of the time that many seconds after 1970-01-01, up to the year 9999.
std::array<char, date_bytes> format_date(std::int64_t seconds) noexcept;

class date_cache {
 public:
  // Valid until the next call. As exact as the kernel's tick, a few milliseconds.
  std::string_view now() noexcept;

 private:
  std::int64_t second_ = -1;
  std::array<char, date_bytes> text_;
};

}  // namespace umcg::http
