// SPDX-License-Identifier: MIT

#include "umcg/http/request.hpp"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "umcg/http/service.hpp"

namespace umcg::http {
namespace {

TEST(request, is_made_of_text) {
  const request asked =
      request::parse("POST /p?q HTTP/1.1\r\nHost: a:1\r\nContent-Length: 4\r\nX-Y: z\r\n\r\nbody");
  EXPECT_EQ(asked.method(), "POST");
  EXPECT_EQ(asked.target(), "/p?q");
  EXPECT_EQ(asked.path(), "/p");
  EXPECT_EQ(asked.query(), "q");
  EXPECT_EQ(asked.host(), "a:1");
  EXPECT_EQ(asked.header("x-y"), "z");
  EXPECT_EQ(asked.header("nothing"), std::nullopt);
  EXPECT_EQ(asked.body(), "body");
  EXPECT_EQ(asked.version(), version::http_1_1);
  EXPECT_TRUE(asked.keep_alive());
  EXPECT_TRUE(asked.deadline().is_never());
  EXPECT_EQ(asked.remote_endpoint(), net::endpoint());
  EXPECT_EQ(asked.id().to_string(), "0-0");
}

TEST(request, is_not_made_of_anything_else) {
  for (const char* text :
       {"", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}) {
    std::error_code error;
    request::parse(text, error);
    EXPECT_EQ(error, std::errc::bad_message) << text;
    EXPECT_THROW(request::parse(text), std::system_error) << text;
  }
}

TEST(request, lists_header_fields_in_order) {
  const request asked =
      request::parse("GET / HTTP/1.0\r\nA: 1\r\nB:\r\nA:\t2 \t\r\nC: x: y \r\n\r\n");
  std::string all;
  for (const auto& [name, value] : asked.headers())
    all += std::string(name) + "=" + std::string(value) + ";";
  EXPECT_EQ(all, "A=1;B=;A=2;C=x: y;");
  EXPECT_EQ(asked.header("a"), "1");
}

TEST(request, decodes_query_parameters) {
  const request asked =
      request::parse("GET /?a=1&b=x+y%26z&%63=d&a=2&e&=f&g=%zz&h=100% HTTP/1.0\r\n\r\n");
  EXPECT_EQ(asked.query_parameter("a"), "1");
  EXPECT_EQ(asked.query_parameter("b"), "x y&z");
  EXPECT_EQ(asked.query_parameter("c"), "d");
  EXPECT_EQ(asked.query_parameter("e"), "");
  EXPECT_EQ(asked.query_parameter(""), "f");
  EXPECT_EQ(asked.query_parameter("g"), "%zz");
  EXPECT_EQ(asked.query_parameter("h"), "100%");
  EXPECT_EQ(asked.query_parameter("i"), std::nullopt);
  EXPECT_EQ(request::parse("GET / HTTP/1.0\r\n\r\n").query_parameter("a"), std::nullopt);
}

TEST(request, keeps_its_parameters_when_copied) {
  service served;
  std::string seen;
  served.get("/{a}/{b}", [&](const request& asked) {
    const request copy = asked;
    request moved = copy;
    const request again = std::move(moved);
    seen = std::string(copy.path_parameter("a")) + "," + std::string(again.path_parameter("b"));
    return response();
  });
  served.answer(request::parse("GET /x%20y/z HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(seen, "x y,z");
  served.answer(request::parse("GET /x/z HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(seen, "x,z");
}

TEST(request, names_an_unknown_parameter) {
  service served;
  served.get("/{a}", [&](const request& asked) {
    try {
      asked.path_parameter("b");
    } catch (const std::out_of_range& thrown) {
      EXPECT_STREQ(thrown.what(), "no path parameter {b} in route \"/{a}\"");
    }
    return response();
  });
  EXPECT_EQ(served.answer(request::parse("GET /x HTTP/1.0\r\n\r\n")).status(), status::ok);
  EXPECT_THROW(request::parse("GET /x HTTP/1.0\r\n\r\n").path_parameter("a"), std::out_of_range);
}

}  // namespace
}  // namespace umcg::http
