// SPDX-License-Identifier: MIT

#include "http/chunked_body.hpp"

#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

#include "unit/http/guarded_bytes.hpp"

namespace umcg::http {
namespace {

using testing::guarded_bytes;

struct decoded {
  parsed outcome = parsed::incomplete;
  status error = status::ok;
  std::string body;
  std::size_t consumed = 0;

  bool operator==(const decoded&) const = default;
};

// Decodes `text` as if it came in pieces that end at `ends`, each in memory of its own.
decoded decode(std::string_view text, std::initializer_list<std::size_t> ends,
               const limits& limits = {}) {
  static guarded_bytes memory(256 * 1024);
  decoded result;
  chunked_position position;
  for (const std::size_t end : ends) {
    for (;;) {
      const std::string_view left = text.substr(result.consumed, end - result.consumed);
      const chunked_step step = decode_chunked(position, memory.hold(left), limits);
      result.outcome = step.outcome;
      result.error = step.error;
      result.body += step.data;
      result.consumed += step.consumed;
      position = step.next;
      if (step.outcome != parsed::incomplete) return result;
      if (step.consumed == 0) break;
    }
  }
  return result;
}

decoded decode(std::string_view text, const limits& limits = {}) {
  return decode(text, {text.size()}, limits);
}

struct coded_body {
  std::string text;
  std::string body;
};

const coded_body sound[] = {
    {"0\r\n\r\n", ""},
    {"5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
    {"000000000000000a\r\n0123456789\r\n00\r\n\r\n", "0123456789"},
    {"A\r\n0\r\n\r\n45678\r\n0\r\n\r\n", "0\r\n\r\n45678"},
    {"3;a\r\nabc\r\n0;last\r\n\r\n", "abc"},
    {"3 ;\ta = b ; c=\"q\\\"\t;\\\\\";d\r\nabc\r\n0\r\n\r\n", "abc"},
    {"3\r\nabc\r\n0\r\nDigest: x\r\nTransfer-Encoding: chunked\r\n\r\n", "abc"},
};

const char* const broken[] = {
    "\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello!\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5,5\r\nhello\r\n0\r\n\r\n",
    "g\r\n",
    "00000000000000005\r\nhello\r\n0\r\n\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5;a \r\nhello\r\n0\r\n\r\n",
    "5;a=\r\nhello\r\n0\r\n\r\n",
    "5;a=\"b\r\nhello\r\n0\r\n\r\n",
    "5;a=\"b\\\r\nhello\r\n0\r\n\r\n",
    "5;a\nhello\r\n0\r\n\r\n",
    "0\r\nA : b\r\n\r\n",
    "0\r\nA: b\r\n c\r\n\r\n",
    "0\r\nA: b\n\r\n",
    "0\r\n\n",
    "0\n\r\n",
};

TEST(chunked_body, decodes) {
  for (const auto& [text, body] : sound) {
    const decoded result = decode(text + "GET / HTTP/1.1\r\n");
    EXPECT_EQ(result, (decoded{parsed::complete, status::ok, body, text.size()})) << text;
  }
}

TEST(chunked_body, refuses_broken_framing) {
  for (const char* text : broken) {
    const decoded result = decode(text);
    EXPECT_EQ(result.outcome, parsed::malformed) << text;
    EXPECT_EQ(result.error, status::bad_request) << text;
  }
}

TEST(chunked_body, comes_out_the_same_however_it_arrives) {
  std::vector<std::string> texts(std::begin(broken), std::end(broken));
  for (const auto& [text, body] : sound) texts.push_back(text);
  for (const std::string& text : texts) {
    const decoded whole = decode(text);
    ASSERT_NE(whole.outcome, parsed::incomplete) << text;
    for (std::size_t first = 0; first <= text.size(); ++first) {
      for (std::size_t second = first; second <= text.size(); ++second) {
        ASSERT_EQ(decode(text, {first, second, text.size()}), whole)
            << text << " split at " << first << " and " << second;
      }
    }
  }
}

// With limits that the text just keeps: what has not come yet exceeds nothing.
TEST(chunked_body, comes_out_the_same_within_tight_limits) {
  const std::string text = "2;a\r\nhi\r\n0\r\nA: b\r\n\r\n";
  limits tight;
  tight.body_bytes = 2;
  tight.chunk_extension_bytes = 2;
  tight.header_bytes = 8;
  tight.header_count = 1;
  for (std::size_t first = 0; first <= text.size(); ++first) {
    EXPECT_EQ(decode(text, {first, text.size()}, tight),
              (decoded{parsed::complete, status::ok, "hi", text.size()}))
        << first;
  }
}

TEST(chunked_body, is_incomplete_until_its_last_byte) {
  for (const auto& [text, body] : sound) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      EXPECT_EQ(decode(text.substr(0, size)).outcome, parsed::incomplete) << text << size;
    }
  }
}

TEST(chunked_body, keeps_to_the_body_limit_before_the_bytes_come) {
  limits tight;
  tight.body_bytes = 8;
  EXPECT_EQ(decode("5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n", tight).outcome, parsed::complete);
  EXPECT_EQ(decode("9\r\n", tight).error, status::content_too_large);
  EXPECT_EQ(decode("5\r\nhello\r\n4\r\n", tight).error, status::content_too_large);
  EXPECT_EQ(decode("5\r\nhello\r\nffffffffffffffff\r\n", tight).error, status::content_too_large);
}

TEST(chunked_body, keeps_to_the_extension_limit_over_all_chunks) {
  limits tight;
  tight.chunk_extension_bytes = 6;
  EXPECT_EQ(decode("1;ab\r\nx\r\n0;ab\r\n\r\n", tight).outcome, parsed::complete);
  EXPECT_EQ(decode("1;ab\r\nx\r\n0;abc\r\n\r\n", tight).error, status::bad_request);
  EXPECT_EQ(decode("1;" + std::string(100, 'a'), tight).error, status::bad_request);
}

TEST(chunked_body, keeps_to_the_trailer_limits) {
  limits tight;
  tight.header_bytes = 12;
  EXPECT_EQ(decode("0\r\nA: b\r\n\r\n", tight).outcome, parsed::complete);
  EXPECT_EQ(decode("0\r\nA: b\r\nA: bcdefg\r\n\r\n", tight).error,
            status::request_header_fields_too_large);
  tight = {};
  tight.header_count = 1;
  EXPECT_EQ(decode("0\r\nA: b\r\nA: b\r\n\r\n", tight).error,
            status::request_header_fields_too_large);
}

}  // namespace
}  // namespace umcg::http
