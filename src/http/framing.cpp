// SPDX-License-Identifier: MIT

#include "http/framing.hpp"

#include <limits>

#include "http/request_target.hpp"

namespace umcg::http {
namespace {

constexpr step bad_request() { return step::refuse(status::bad_request); }

// `name` is a token of the same length as `lower`, which is made of lower-case letters and '-'. No
// other token character becomes one of those when the bit that makes letters lower-case is set.
template <std::size_t Size>
bool is_named(std::string_view name, const char (&lower)[Size]) noexcept {
  bool same = true;
  for (std::size_t i = 0; i < Size - 1; ++i) same &= (name[i] | 0x20) == lower[i];
  return same;
}

// Takes the next element of a comma-separated list, without the whitespace around it; empty
// elements count for nothing (RFC 9110 5.6.1). False: there is none.
bool take_element(std::string_view& list, std::string_view& element) noexcept {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    element = without_whitespace(list.data(), list.data() + comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (!element.empty()) return true;
  }
  return false;
}

}  // namespace

step framing::note(const header_field& field) noexcept {
  const std::string_view name = field.name;
  switch (name.size()) {
    case 4:
      if (is_named(name, "host")) return note_host(field.value);
      break;
    case 6:
      if (is_named(name, "expect")) return note_expect(field.value);
      break;
    case 10:
      if (is_named(name, "connection")) return note_connection(field.value);
      break;
    case 14:
      if (is_named(name, "content-length")) return note_content_length(field.value);
      break;
    case 17:
      if (is_named(name, "transfer-encoding")) {
        return note_transfer_encoding(field.value);
      }
      break;
    default:
      break;
  }
  return step::done();
}

step framing::note_host(std::string_view value) noexcept {
  if (has_host_ || !is_host(value)) return bad_request();
  has_host_ = true;
  host_ = value;
  return step::done();
}

// RFC 9112 6.3 lets a server accept one number said several times. We do not: nobody needs it.
step framing::note_content_length(std::string_view value) noexcept {
  if (has_content_length_ || value.empty()) return bad_request();
  has_content_length_ = true;
  constexpr std::uint64_t highest = std::numeric_limits<std::uint64_t>::max();
  for (const char c : value) {
    if (!characters::is(c, characters::digit)) return bad_request();
    const std::uint64_t digit = static_cast<std::uint64_t>(c - '0');
    // A number beyond any is still a number: too much of a body rather than none that can be read.
    const bool fits = content_length_ <= (highest - digit) / 10;
    content_length_ = fits ? content_length_ * 10 + digit : highest;
  }
  return step::done();
}

step framing::note_transfer_encoding(std::string_view value) noexcept {
  std::string_view element;
  bool any = false;
  while (take_element(value, element)) {
    any = true;
    if (last_coding_ == coding::chunked) return bad_request();  // twice, or not the last
    const bool is_chunked = equal_ignoring_case(element, "chunked");
    last_coding_ = is_chunked ? coding::chunked : coding::unknown;
    unknown_coding_ = unknown_coding_ || !is_chunked;
  }
  return any ? step::done() : bad_request();
}

step framing::note_expect(std::string_view value) noexcept {
  std::string_view element;
  while (take_element(value, element)) {
    if (equal_ignoring_case(element, "100-continue")) {
      expects_continue_ = true;
    } else {
      unmet_expectation_ = true;
    }
  }
  return step::done();
}

step framing::note_connection(std::string_view value) noexcept {
  std::string_view element;
  while (take_element(value, element)) {
    if (equal_ignoring_case(element, "close")) says_close_ = true;
    if (equal_ignoring_case(element, "keep-alive")) says_keep_alive_ = true;
  }
  return step::done();
}

step framing::conclude(request_head& head) const noexcept {
  const bool latest = head.version == version::http_1_1;
  if (latest && !has_host_) return bad_request();
  if (last_coding_ != coding::none) {
    if (!latest) return bad_request();              // RFC 9112 6.1: framing is faulty
    if (has_content_length_) return bad_request();  // 6.3: the classic smuggling attempt
    if (last_coding_ == coding::unknown) return bad_request();  // 6.3: the end cannot be found
    if (unknown_coding_) return step::refuse(status::not_implemented);
  }
  if (latest && unmet_expectation_) return step::refuse(status::expectation_failed);
  if (head.host.empty()) head.host = host_;
  head.content_length = content_length_;
  head.chunked = last_coding_ == coding::chunked;
  head.expects_continue = latest && expects_continue_;  // RFC 9110 10.1.1: not from an older client
  head.keep_alive = !says_close_ && (latest || says_keep_alive_);
  return step::done();
}

}  // namespace umcg::http
