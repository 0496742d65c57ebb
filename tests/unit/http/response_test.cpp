// SPDX-License-Identifier: MIT

#include "umcg/http/response.hpp"

#include <string>

#include <gtest/gtest.h>

namespace umcg::http {
namespace {

TEST(response, has_a_content_type_of_its_factory) {
  EXPECT_EQ(response::text("a").header("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(response::json("{}").header("Content-Type"), "application/json");
  EXPECT_EQ(response::bytes("a").header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(response::unowned("a", "image/png").header("Content-Type"), "image/png");
  EXPECT_EQ(response().header("Content-Type"), std::nullopt);
}

TEST(response, has_a_body_of_any_kind) {
  const std::string_view view = "view";
  const std::byte raw[] = {std::byte{0}, std::byte{255}};
  EXPECT_EQ(response::text(view).body(), "view");
  EXPECT_EQ(response::text("literal").body(), "literal");
  EXPECT_EQ(response::bytes(raw).body(), std::string_view("\0\xff", 2));
  response borrowed = response::unowned(view, "a/b");
  EXPECT_EQ(borrowed.body().data(), view.data());
  EXPECT_EQ(borrowed.set_body("own").body(), "own");
  EXPECT_EQ(response::error(status::not_found).body(), "404 Not Found\n");
}

TEST(response, is_made_of_a_status) {
  const response reply = status::not_modified;
  EXPECT_EQ(reply.status(), status::not_modified);
  EXPECT_EQ(reply.body(), "");
  EXPECT_EQ(response().set_status(status::created).status(), status::created);
}

TEST(response, sets_and_adds_header_fields) {
  response reply = response::text("a");
  reply.add_header("X-A", " 1\t").add_header("x-a", "2").add_header("X-B", "3");
  EXPECT_EQ(reply.headers().lines(), "X-A: 1\r\nx-a: 2\r\nX-B: 3\r\n");
  reply.set_header("X-a", "4");
  EXPECT_EQ(reply.headers().lines(), "X-B: 3\r\nX-a: 4\r\n");
  reply.set_header("X-B", *reply.header("X-a"));
  EXPECT_EQ(reply.headers().lines(), "X-a: 4\r\nX-B: 4\r\n");
  reply.set_header("Content-Type", "text/html");
  EXPECT_EQ(reply.header("content-type"), "text/html");
  EXPECT_EQ(reply.content_type(), "");
}

TEST(response, lets_nothing_into_the_head_that_is_no_header_field) {
  const std::string nul("a\0b", 3);
  for (const std::string& value : {std::string("a\r\nb: c"), std::string("a\nb"),
                                   std::string("a\r"), nul, std::string("\x7f")}) {
    response reply;
    std::error_code error;
    reply.set_header("X", value, error);
    EXPECT_EQ(error, std::errc::invalid_argument);
    reply.add_header("X", value, error);
    EXPECT_EQ(error, std::errc::invalid_argument);
    EXPECT_THROW(reply.set_header("X", value), std::system_error);
    EXPECT_THROW(reply.add_header("X", value), std::system_error);
    EXPECT_TRUE(reply.headers().empty());
  }
  for (const std::string& name : {std::string(""), std::string("a b"), std::string("a:"),
                                  std::string("a\r\n"), nul, std::string("\xc3\xa4")}) {
    EXPECT_THROW(response().set_header(name, "v"), std::system_error) << name;
  }
}

TEST(response, leaves_the_framing_to_the_service) {
  for (const char* name : {"Content-Length", "transfer-encoding", "Connection"}) {
    EXPECT_THROW(response().set_header(name, "1"), std::system_error) << name;
  }
  EXPECT_TRUE(response().set_header("connection", "Close").closes_connection());
  EXPECT_FALSE(response().closes_connection());
}

TEST(status, has_the_registered_reasons) {
  EXPECT_EQ(reason_phrase(status::ok), "OK");
  EXPECT_EQ(reason_phrase(status::http_version_not_supported), "HTTP Version Not Supported");
  EXPECT_EQ(reason_phrase(static_cast<status>(299)), "");
}

}  // namespace
}  // namespace umcg::http
