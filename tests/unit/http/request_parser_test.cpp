// SPDX-License-Identifier: MIT

#include "http/request_parser.hpp"

#include <string>

#include <gtest/gtest.h>

#include "unit/http/guarded_bytes.hpp"
#include "unit/http/request_corpus.hpp"

namespace umcg::http {
namespace {

using testing::guarded_bytes;
using testing::with_fields;
using testing::with_target;

constexpr limits defaults;

parse_result parse(std::string_view text, request_head& head, const limits& limits = defaults) {
  return parse_request_head(text, limits, head);
}

request_head accepted(std::string_view text) {
  request_head head;
  const parse_result result = parse(text, head);
  EXPECT_EQ(result, (parse_result{parsed::complete, text.size()})) << text;
  return head;
}

status refused(std::string_view text, const limits& limits = defaults) {
  request_head head;
  const parse_result result = parse(text, head, limits);
  EXPECT_EQ(result.outcome, parsed::malformed) << text;
  return result.error;
}

TEST(request_parser, takes_a_head_apart) {
  const std::string text =
      "POST /a/b%20c?x=1&y HTTP/1.1\r\nHost: example.org:8080\r\nX-One: 1\r\nx-two:\t 2 \r\n\r\n";
  const request_head head = accepted(text);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/a/b%20c?x=1&y");
  EXPECT_EQ(head.path, "/a/b%20c");
  EXPECT_EQ(head.query, "x=1&y");
  EXPECT_EQ(head.host, "example.org:8080");
  EXPECT_EQ(head.version, version::http_1_1);
  EXPECT_EQ(head.fields.find("X-TWO"), "2");
  EXPECT_EQ(head.fields.find("X-Three"), std::nullopt);
  EXPECT_EQ(std::distance(head.fields.begin(), head.fields.end()), 3);
}

TEST(request_parser, stops_at_the_end_of_the_head) {
  const std::string text = with_fields("Content-Length: 4\r\n") + "bodyGET / HTTP/1.1\r\n";
  request_head head;
  EXPECT_EQ(parse(text, head).consumed, text.find("body"));
  EXPECT_EQ(head.content_length, 4U);
}

TEST(request_parser, finds_path_query_and_host_in_every_form) {
  const struct {
    std::string text, path, query, host;
  } cases[] = {
      {with_target("/?"), "/", "", "a"},
      {with_target("/a?b?c/d"), "/a", "b?c/d", "a"},
      {with_target("//a"), "//a", "", "a"},
      // The target's host, not the Host field's: RFC 9112 3.2.2.
      {with_target("http://b.example:81/p?q"), "/p", "q", "b.example:81"},
      {with_target("HTTPS://[::1]?q"), "/", "q", "[::1]"},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "*", "", "a"},
      {"OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", "*", "", "b"},
      {"OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "/", "", "b"},
      {"GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "/", "", "b"},
  };
  for (const auto& [text, path, query, host] : cases) {
    const request_head head = accepted(text);
    EXPECT_EQ(head.path, path) << text;
    EXPECT_EQ(head.query, query) << text;
    EXPECT_EQ(head.host, host) << text;
  }
}

TEST(request_parser, decides_the_connection) {
  const auto keeps = [](std::string_view version, std::string_view connection) {
    std::string text = "GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n";
    if (!connection.empty()) text += "Connection: " + std::string(connection) + "\r\n";
    return accepted(text + "\r\n").keep_alive;
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_TRUE(keeps("1.1", "upgrade, keep-alive"));
  EXPECT_FALSE(keeps("1.1", "close"));
  EXPECT_FALSE(keeps("1.1", "foo ,\tCLOSE, bar"));
  EXPECT_TRUE(keeps("1.1", "closed"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Keep-Alive"));
  EXPECT_FALSE(keeps("1.0", "keep-alive, close"));
}

TEST(request_parser, finds_the_framing) {
  EXPECT_EQ(accepted(with_fields("Content-Length: 0042\r\n")).content_length, 42U);
  EXPECT_EQ(accepted(with_fields("content-length: 18446744073709551615\r\n")).content_length,
            18446744073709551615U);
  // More than 64 bits hold is as much as they hold: the reader says that it is too much.
  EXPECT_EQ(accepted(with_fields("Content-Length: 99999999999999999999\r\n")).content_length,
            18446744073709551615U);
  EXPECT_TRUE(accepted(with_fields("transfer-encoding: CHUNKED\r\n")).chunked);
  EXPECT_TRUE(accepted(with_fields("Expect: 100-Continue\r\n")).expects_continue);
  EXPECT_FALSE(accepted("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
  accepted("GET / HTTP/1.0\r\nExpect: anything\r\n\r\n");
}

TEST(request_parser, refuses_with_the_right_status) {
  for (const auto& list : {testing::refused_request_lines(), testing::refused_fields()}) {
    for (const auto& [what, text, why] : list) EXPECT_EQ(refused(text), why) << what;
  }
}

TEST(request_parser, keeps_to_its_limits_to_the_byte) {
  const std::string line = "GET /aaa HTTP/1.1\r\n";
  const std::string text = line + "Host: a\r\nB: c\r\n\r\n";
  limits tight;
  tight.request_line_bytes = line.size();
  tight.header_bytes = text.size() - line.size();
  tight.header_count = 2;
  request_head head;
  EXPECT_EQ(parse(text, head, tight).outcome, parsed::complete);
  limits less = tight;
  --less.request_line_bytes;
  EXPECT_EQ(refused(text, less), status::uri_too_long);
  less = tight;
  --less.header_bytes;
  EXPECT_EQ(refused(text, less), status::request_header_fields_too_large);
  less = tight;
  --less.header_count;
  EXPECT_EQ(refused(text, less), status::request_header_fields_too_large);
}

// What the parser says of any prefix, it says of the whole; and it never looks behind the prefix.
void expect_prefixes_agree(const std::string& text, guarded_bytes& memory) {
  request_head head;
  const parse_result whole = parse(text, head);
  EXPECT_NE(whole.outcome, parsed::incomplete) << text;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const parse_result result = parse(memory.hold(std::string_view(text).substr(0, size)), head);
    if (result.outcome == parsed::incomplete) {
      EXPECT_LT(size, text.size());
    } else {
      ASSERT_EQ(result, whole) << "prefix of " << size << " bytes of " << text;
    }
  }
  EXPECT_EQ(parse(text + "\xff\n more", head), whole) << text;
}

TEST(request_parser, judges_every_prefix_like_the_whole_and_stays_inside_it) {
  guarded_bytes memory(64 * 1024);
  for (const std::string& text : testing::accepted_heads()) {
    SCOPED_TRACE(text);
    accepted(text);
    expect_prefixes_agree(text, memory);
  }
  for (const auto& list : {testing::refused_request_lines(), testing::refused_fields()}) {
    for (const auto& [what, text, why] : list) {
      SCOPED_TRACE(what);
      expect_prefixes_agree(text, memory);
    }
  }
}

// A head is complete at its last byte and not before.
TEST(request_parser, waits_for_the_last_byte) {
  for (const std::string& text : testing::accepted_heads()) {
    request_head head;
    const parse_result result = parse(std::string_view(text).substr(0, text.size() - 1), head);
    EXPECT_EQ(result.outcome, parsed::incomplete) << text;
  }
}

}  // namespace
}  // namespace umcg::http
