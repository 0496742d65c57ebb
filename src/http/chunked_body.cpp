// SPDX-License-Identifier: MIT

#include "http/chunked_body.hpp"

#include <algorithm>

#include "http/field_line.hpp"

namespace umcg::http {
namespace {

using characters::is;
using characters::skip;
using place = chunked_position::place;

constexpr std::size_t size_digits_max = 16;  // what 64 bits hold; leading zeros count

constexpr step bad_request() { return step::refuse(status::bad_request); }

void skip_whitespace(scan& in) {
  while (in.at != in.end && (*in.at == ' ' || *in.at == '\t')) ++in.at;
}

step take_token(scan& in) {
  const char* const begin = in.at;
  in.at = skip(in.at, in.end, characters::token);
  if (in.at == in.end) return in.at_end;
  return in.at == begin ? bad_request() : step::done();
}

// From the opening quotation mark to the closing one (RFC 9110 5.6.4).
step take_quoted_string(scan& in) {
  for (++in.at; in.at != in.end; ++in.at) {
    if (!is(*in.at, characters::field_value)) return bad_request();
    if (*in.at == '"') {
      ++in.at;
      return in.at == in.end ? in.at_end : step::done();
    }
    if (*in.at == '\\') {
      if (++in.at == in.end) return in.at_end;
      if (!is(*in.at, characters::field_value)) return bad_request();
    }
  }
  return in.at_end;
}

// `name`, `name=token` or `name="quoted"`, after the semicolon (RFC 9112 7.1.1), and the whitespace
// that may come before another extension.
step take_extension(scan& in) {
  skip_whitespace(in);
  if (const step name = take_token(in); !name.is_done()) return name;
  const char* const name_end = in.at;
  skip_whitespace(in);
  if (in.at == in.end) return in.at_end;
  if (*in.at != '=') {
    if (*in.at != ';') in.at = name_end;
    return step::done();
  }
  ++in.at;
  skip_whitespace(in);
  if (in.at == in.end) return in.at_end;
  const step value = *in.at == '"' ? take_quoted_string(in) : take_token(in);
  if (!value.is_done()) return value;
  const char* const value_end = in.at;
  skip_whitespace(in);
  if (in.at == in.end) return in.at_end;
  if (*in.at != ';') in.at = value_end;
  return step::done();
}

// Everything between a chunk's size and the end of its line.
step take_extensions(scan& in) {
  const char* const begin = in.at;
  skip_whitespace(in);
  if (in.at == in.end) return in.at_end;
  if (*in.at != ';') in.at = begin;
  while (*in.at == ';') {
    ++in.at;
    if (const step extension = take_extension(in); !extension.is_done()) return extension;
  }
  return step::done();
}

step take_size(scan& in, std::uint64_t& size) {
  const char* const begin = in.at;
  in.at = skip(in.at, in.end, characters::hexadecimal);
  const auto digits = static_cast<std::size_t>(in.at - begin);
  if (digits > size_digits_max) return bad_request();
  if (in.at == in.end) return in.at_end;
  if (digits == 0) return bad_request();
  size = 0;
  for (const char* digit = begin; digit != in.at; ++digit) {
    size = size << 4 | static_cast<unsigned>(characters::hexadecimal_value(*digit));
  }
  return step::done();
}

step take_size_line(scan& in, const limits& limits, chunked_position& next) {
  if (const step size = take_size(in, next.left); !size.is_done()) return size;
  const char* const extensions = in.at;
  if (const step taken = take_extensions(in); !taken.is_done()) return taken;
  next.extension_bytes += static_cast<std::size_t>(in.at - extensions);
  if (next.extension_bytes > limits.chunk_extension_bytes) return bad_request();
  if (const step line_end = take_line_end(in); !line_end.is_done()) return line_end;
  if (next.left > limits.body_bytes - next.body_bytes) {
    return step::refuse(status::content_too_large);
  }
  next.body_bytes += next.left;
  next.at = next.left == 0 ? place::trailers : place::data;
  return step::done();
}

step take_trailer(scan& in, const limits& limits, chunked_position& next) {
  if (in.at == in.end) return in.at_end;
  if (next.trailer_count == limits.header_count) {
    return step::refuse(status::request_header_fields_too_large);
  }
  const char* const begin = in.at;
  header_field dropped;
  if (const step line = take_field_line(in, dropped); !line.is_done()) return line;
  ++next.trailer_count;
  next.trailer_bytes += static_cast<std::size_t>(in.at - begin);
  return step::done();
}

chunked_step take_data(const chunked_position& from, std::string_view input) {
  chunked_step result{parsed::incomplete};
  result.next = from;
  result.data =
      input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(from.left, input.size())));
  result.consumed = result.data.size();
  result.next.left -= result.consumed;
  if (result.next.left == 0) result.next.at = place::data_end;
  return result;
}

}  // namespace

chunked_step decode_chunked(const chunked_position& from, std::string_view input,
                            const limits& limits) {
  if (from.at == place::data) return take_data(from, input);
  const char* const begin = input.data();
  const char* const end = begin + input.size();
  chunked_step result{parsed::incomplete};
  result.next = from;
  scan in{begin, end, step::incomplete()};
  step ended = step::done();
  bool last = false;
  if (from.at == place::size_line) {
    const std::size_t room = limits.chunk_extension_bytes - from.extension_bytes;
    in = scan::within(begin, end, size_digits_max + room + 2, status::bad_request);
    ended = take_size_line(in, limits, result.next);
  } else if (from.at == place::data_end) {
    ended = take_line_end(in);
    result.next.at = place::size_line;
  } else {
    in = scan::within(begin, end, limits.header_bytes - from.trailer_bytes,
                      status::request_header_fields_too_large);
    last = in.at != in.end && *in.at == '\r';
    ended = last ? take_line_end(in) : take_trailer(in, limits, result.next);
  }
  if (ended.is_incomplete()) return {parsed::incomplete, 0, {}, status::ok, from};
  if (!ended.is_done()) return {parsed::malformed, 0, {}, ended.why(), from};
  result.consumed = static_cast<std::size_t>(in.at - begin);
  if (last) result.outcome = parsed::complete;
  return result;
}

}  // namespace umcg::http
