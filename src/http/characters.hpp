// SPDX-License-Identifier: MIT
#pragma once

// Which bytes may stand where in a request (RFC 9110 5.6.2, 5.5; RFC 3986 appendix A), and fast
// ways to skip them. None of the functions reads at or beyond `end`.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace umcg::http::characters {

// Sets of bytes; one bit each.
enum kind : std::uint8_t {
  token = 1,        // of a method or a field name
  field_value = 2,  // visible, space, tab, and 128 and above
  path = 4,         // of a path, except '%', which needs a look at what follows
  query = 8,        // of a query
  host_name = 16,   // of a registered name or an IPv4 address, except '%'
  hexadecimal = 32,
  digit = 64,
};

constexpr bool among(char c, const char* set) {
  for (; *set != '\0'; ++set) {
    if (*set == c) return true;
  }
  return false;
}

constexpr std::uint8_t kinds_of(unsigned char byte) {
  const char c = static_cast<char>(byte);
  const bool is_digit = c >= '0' && c <= '9';
  const bool is_alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  const bool is_visible = byte > 0x20 && byte < 0x7f;
  unsigned kinds = 0;
  if (is_digit || is_alpha || among(c, "!#$%&'*+-.^_`|~")) kinds |= token;
  if (is_visible || c == ' ' || c == '\t' || byte >= 0x80) kinds |= field_value;
  // RFC 3986 would forbid  " < > [ \ ] ^ ` { | }  too. Browsers and curl send them; nothing here is
  // delimited by them.
  if (is_visible && !among(c, "#%?")) kinds |= path;
  if (is_visible && c != '#') kinds |= query;
  if (is_digit || is_alpha || among(c, "-._~!$&'()*+,;=")) kinds |= host_name;
  if (is_digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) kinds |= hexadecimal;
  if (is_digit) kinds |= digit;
  return static_cast<std::uint8_t>(kinds);
}

constexpr std::array<std::uint8_t, 256> build_table() {
  std::array<std::uint8_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    table[byte] = kinds_of(static_cast<unsigned char>(byte));
  }
  return table;
}

inline constexpr std::array<std::uint8_t, 256> table = build_table();

constexpr bool is(char c, kind wanted) { return table[static_cast<unsigned char>(c)] & wanted; }

constexpr int hexadecimal_value(char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

// The first byte from `at` on that is not `wanted`, or `end`.
inline const char* skip(const char* at, const char* end, kind wanted) {
  while (at != end && is(*at, wanted)) ++at;
  return at;
}

// As skip(at, end, field_value), eight bytes at a time.
inline const char* skip_field_value_portable(const char* at, const char* end) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t highs = 0x8080808080808080;
  while (end - at >= 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    // The high bit of a byte says: below 0x20, or 0x7f. Tabs are among them, so what is found is
    // looked at singly.
    const std::uint64_t controls = (bytes - ones * 0x20) & ~bytes & highs;
    const std::uint64_t deletes = ((bytes ^ ones * 0x7f) - ones) & ~(bytes ^ ones * 0x7f) & highs;
    if ((controls | deletes) != 0) {
      const char* const stop = skip(at, at + 8, field_value);
      if (stop != at + 8) return stop;
    }
    at += 8;
  }
  return skip(at, end, field_value);
}

// As skip(at, end, field_value): header fields are mostly values, so this is where a parser's time
// goes.
inline const char* skip_field_value(const char* at, const char* end) {
#if defined(__SSE2__)
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i tabs = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    const __m128i deletes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    const __m128i stops = _mm_or_si128(_mm_andnot_si128(tabs, controls), deletes);
    const unsigned mask = static_cast<unsigned>(_mm_movemask_epi8(stops));
    if (mask != 0) return at + std::countr_zero(mask);
    at += 16;
  }
#endif
  return skip_field_value_portable(at, end);
}

}  // namespace umcg::http::characters
