// SPDX-License-Identifier: MIT

#include "http/request_parser.hpp"

#include <algorithm>
#include <cstring>

#include "http/field_line.hpp"
#include "http/framing.hpp"
#include "http/request_target.hpp"

namespace umcg::http {
namespace {

using characters::skip;

// Longer than any method that anybody has registered (RFC 9110 16.1.1). Beyond: 501, as RFC 9112 3
// asks for.
constexpr std::ptrdiff_t method_bytes_max = 32;

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

step take_method(scan& in, request_head& head) {
  const char* const begin = in.at;
  const char* const at = skip(begin, in.end, characters::token);
  if (at - begin > method_bytes_max) return step::refuse(status::not_implemented);
  if (at == in.end) return in.at_end;
  if (at == begin || *at != ' ') return step::refuse(status::bad_request);
  head.method = between(begin, at);
  in.at = at + 1;
  return step::done();
}

// "%41" at the place. NUL has no business in a path and ends strings that go on to the kernel.
step take_escape(scan& in) {
  for (int i = 1; i <= 2; ++i) {
    if (in.at + i == in.end) return in.at_end;
    if (!characters::is(in.at[i], characters::hexadecimal)) {
      return step::refuse(status::bad_request);
    }
  }
  if (in.at[1] == '0' && in.at[2] == '0') return step::refuse(status::bad_request);
  in.at += 3;
  return step::done();
}

// The path and the query of a target in origin form, up to the space after it.
step take_origin_form(scan& in, request_head& head) {
  const char* const begin = in.at;
  for (;;) {
    in.at = skip(in.at, in.end, characters::path);
    if (in.at == in.end) return in.at_end;
    if (*in.at != '%') break;
    if (const step escape = take_escape(in); !escape.is_done()) return escape;
  }
  head.path = between(begin, in.at);
  head.query = {};
  if (*in.at == '?') {
    const char* const query = in.at + 1;
    in.at = skip(query, in.end, characters::query);
    if (in.at == in.end) return in.at_end;
    head.query = between(query, in.at);
  }
  if (*in.at != ' ') return step::refuse(status::bad_request);
  head.target = between(begin, in.at);
  ++in.at;
  return step::done();
}

// A target in any other form; what it means depends on the method and is looked at when the line is
// known to be one.
step take_other_form(scan& in, request_head& head) {
  const char* const begin = in.at;
  in.at = skip(begin, in.end, characters::query);
  if (in.at == in.end) return in.at_end;
  if (in.at == begin || *in.at != ' ') return step::refuse(status::bad_request);
  head.target = between(begin, in.at);
  ++in.at;
  return step::done();
}

// "HTTP/1.1" and the line's end. A later minor version is one that we answer as 1.1 (RFC 9110 2.5).
step take_version(scan& in, request_head& head) {
  constexpr std::string_view expected = "HTTP/1.1\r\n";
  head.version = version::http_1_1;
  if (static_cast<std::size_t>(in.end - in.at) >= expected.size() &&
      std::memcmp(in.at, expected.data(), expected.size()) == 0) {
    in.at += expected.size();
    return step::done();
  }
  constexpr std::string_view shape = "HTTP/d.d";
  const char* const begin = in.at;
  for (const char wanted : shape) {
    if (in.at == in.end) return in.at_end;
    const bool fits = wanted == 'd' ? characters::is(*in.at, characters::digit) : *in.at == wanted;
    if (!fits) return step::refuse(status::bad_request);
    ++in.at;
  }
  if (const step line_end = take_line_end(in); !line_end.is_done()) return line_end;
  if (begin[5] != '1') return step::refuse(status::http_version_not_supported);
  if (begin[7] == '0') head.version = version::http_1_0;
  return step::done();
}

step take_request_line(scan& in, request_head& head) {
  if (const step method = take_method(in, head); !method.is_done()) return method;
  if (in.at == in.end) return in.at_end;
  const bool origin = *in.at == '/';
  const step target = origin ? take_origin_form(in, head) : take_other_form(in, head);
  if (!target.is_done()) return target;
  if (const step version = take_version(in, head); !version.is_done()) return version;
  head.host = {};
  return origin ? check_origin_form(head) : resolve_other_form(head);
}

step take_fields(scan& in, const limits& limits, request_head& head) {
  const char* const begin = in.at;
  framing seen;
  for (std::size_t count = 0;; ++count) {
    if (in.at == in.end) return in.at_end;
    if (*in.at == '\r') break;
    if (count == limits.header_count) {
      return step::refuse(status::request_header_fields_too_large);
    }
    header_field field;
    if (const step line = take_field_line(in, field); !line.is_done()) return line;
    if (const step noted = seen.note(field); !noted.is_done()) return noted;
  }
  head.fields = header_fields(between(begin, in.at));
  if (const step line_end = take_line_end(in); !line_end.is_done()) return line_end;
  return seen.conclude(head);
}

parse_result result_of(step ended) {
  if (ended.is_incomplete()) return {parsed::incomplete};
  return {parsed::malformed, 0, ended.why()};
}

}  // namespace

parse_result parse_request_head(std::string_view input, const limits& limits, request_head& head) {
  const char* const begin = input.data();
  const char* const end = begin + input.size();
  scan line = scan::within(begin, end, limits.request_line_bytes, status::uri_too_long);
  // One empty line before a request is passed over: some clients send it after a body (RFC
  // 9112 2.2).
  if (line.at != line.end && *line.at == '\r') {
    if (const step empty = take_line_end(line); !empty.is_done()) return result_of(empty);
  }
  if (const step ended = take_request_line(line, head); !ended.is_done()) return result_of(ended);
  scan rest =
      scan::within(line.at, end, limits.header_bytes, status::request_header_fields_too_large);
  if (const step ended = take_fields(rest, limits, head); !ended.is_done()) {
    return result_of(ended);
  }
  return {parsed::complete, static_cast<std::size_t>(rest.at - begin)};
}

}  // namespace umcg::http
