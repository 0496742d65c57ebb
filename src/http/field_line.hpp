// SPDX-License-Identifier: MIT
#pragma once

// Takes apart the lines that a head and a trailer section have in common: "name: value" CR LF (RFC
// 9112 5).

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/characters.hpp"
#include "umcg/http/header_fields.hpp"
#include "umcg/http/status.hpp"

namespace umcg::http {

// How a step of a parser ended: done, incomplete (more bytes are needed), or a status to refuse the
// message with.
class step {
 public:
  static constexpr step done() { return step(0); }
  static constexpr step incomplete() { return step(1); }
  static constexpr step refuse(status why) { return step(static_cast<std::uint16_t>(why)); }

  constexpr bool is_done() const { return code_ == 0; }
  constexpr bool is_incomplete() const { return code_ == 1; }
  constexpr status why() const { return static_cast<status>(code_); }
  constexpr bool operator==(const step&) const = default;

 private:
  constexpr explicit step(std::uint16_t code) : code_(code) {}
  std::uint16_t code_;
};

// A place in the input. It ends where the received bytes or the limit end, whichever is first. What
// is found depends only on the bytes before the place of the finding, never on how many follow: so
// a parse of any prefix is either incomplete or ends as the parse of the whole.
struct scan {
  const char* at;
  const char* end;
  step at_end;  // what reaching `end` means

  static scan within(const char* at, const char* input_end, std::size_t limit, status beyond) {
    if (static_cast<std::size_t>(input_end - at) < limit) {
      return {at, input_end, step::incomplete()};
    }
    return {at, at + limit, step::refuse(beyond)};
  }
};

// CR LF at the place, passed over. A CR or an LF alone ends nothing (RFC 9112 2.2).
inline step take_line_end(scan& in) {
  if (in.at == in.end) return in.at_end;
  if (*in.at != '\r') return step::refuse(status::bad_request);
  if (in.at + 1 == in.end) return in.at_end;
  if (in.at[1] != '\n') return step::refuse(status::bad_request);
  in.at += 2;
  return step::done();
}

inline std::string_view without_whitespace(const char* begin, const char* end) {
  while (begin != end && (*begin == ' ' || *begin == '\t')) ++begin;
  while (begin != end && (end[-1] == ' ' || end[-1] == '\t')) --end;
  return {begin, static_cast<std::size_t>(end - begin)};
}

// One field line. A line that begins with whitespace (obs-fold) has no name and is refused, and so
// is whitespace before the colon (RFC 9112 5.1, 5.2).
inline step take_field_line(scan& in, header_field& field) {
  const char* const name_end = characters::skip(in.at, in.end, characters::token);
  if (name_end == in.end) return in.at_end;
  if (name_end == in.at || *name_end != ':') return step::refuse(status::bad_request);
  const char* const value_end = characters::skip_field_value(name_end + 1, in.end);
  field.name = {in.at, static_cast<std::size_t>(name_end - in.at)};
  field.value = without_whitespace(name_end + 1, value_end);
  in.at = value_end;
  return take_line_end(in);
}

}  // namespace umcg::http
