// SPDX-License-Identifier: MIT

#include "httpd/routes.hpp"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace httpd {
namespace {

namespace http = umcg::http;

class routes : public ::testing::Test {
 protected:
  routes() { add_routes(served); }

  // `line` is "GET /path"; `rest` more header fields, an empty line and the body.
  http::response ask(std::string_view line, std::string_view rest = "\r\n") {
    message = std::string(line).append(" HTTP/1.1\r\nHost: a\r\n").append(rest);
    return served.answer(http::request::parse(message));
  }

  http::service served;
  std::string message;
};

TEST_F(routes, answer_with_fixed_texts) {
  const http::response text = ask("GET /plaintext");
  EXPECT_EQ(text.status(), http::status::ok);
  EXPECT_EQ(text.body(), "Hello, World!");
  EXPECT_EQ(text.header("Content-Type"), "text/plain; charset=utf-8");
  const http::response json = ask("GET /json");
  EXPECT_EQ(json.status(), http::status::ok);
  EXPECT_EQ(json.body(), R"({"message":"Hello, World!"})");
  EXPECT_EQ(json.header("Content-Type"), "application/json");
}

TEST_F(routes, greet) {
  EXPECT_EQ(ask("GET /hello/you").body(), "Hello, you!\n");
  EXPECT_EQ(ask("GET /hello/a%20b").body(), "Hello, a b!\n");
  EXPECT_EQ(ask("GET /hello/").status(), http::status::not_found);
}

TEST_F(routes, sleep_as_long_as_asked) {
  const auto begin = std::chrono::steady_clock::now();
  const http::response reply = ask("GET /sleep?ms=20");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(20));
  EXPECT_EQ(reply.status(), http::status::ok);
  EXPECT_EQ(reply.body(), "Slept for 20 ms.\n");
  EXPECT_EQ(ask("GET /sleep?ms=0").status(), http::status::ok);
  EXPECT_EQ(ask("GET /sleep?a=b&ms=1&ms=x").status(), http::status::ok);
}

TEST_F(routes, refuse_to_sleep_for_what_is_no_number_in_range) {
  for (const char* query :
       {"", "?", "?ms", "?ms=", "?ms=60001", "?ms=-1", "?ms=%2B1", "?ms=1.5", "?ms=1s", "?ms=0x1",
        "?ms=+1", "?ms=1+", "?ms=99999999999999999999", "?ms=4294967296", "?MS=1"}) {
    const http::response reply = ask(std::string("GET /sleep") + query);
    EXPECT_EQ(reply.status(), http::status::bad_request) << query;
    EXPECT_EQ(reply.body(), "ms has to be a whole number from 0 to 60000: /sleep?ms=250\n");
  }
}

TEST_F(routes, send_back_what_they_got) {
  using namespace std::string_view_literals;
  const http::response typed =
      ask("POST /echo", "Content-Type: text/x; a=b\r\nContent-Length: 5\r\n\r\nh\0i\r\n"sv);
  EXPECT_EQ(typed.status(), http::status::ok);
  EXPECT_EQ(typed.body(), "h\0i\r\n"sv);
  EXPECT_EQ(typed.header("Content-Type"), "text/x; a=b");
  const http::response untyped = ask("POST /echo", "Content-Length: 0\r\n\r\n");
  EXPECT_EQ(untyped.body(), "");
  EXPECT_EQ(untyped.header("Content-Type"), "application/octet-stream");
}

TEST_F(routes, are_listed_and_nothing_else_is) {
  const http::response list = ask("GET /");
  EXPECT_EQ(list.header("Content-Type"), "text/plain; charset=utf-8");
  std::string routed;
  for (std::string_view rest = list.body(); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    if (!line.starts_with("GET ") && !line.starts_with("POST ")) continue;
    const std::size_t path = line.find('/');
    const std::string request = std::string(line.substr(0, line.find(' '))) + ' ' +
                                std::string(line.substr(path, line.find(' ', path) - path));
    const http::status answered = ask(request).status();
    EXPECT_TRUE(answered == http::status::ok || answered == http::status::bad_request) << request;
    routed += request + '\n';
  }
  EXPECT_EQ(routed,
            "GET /\nGET /plaintext\nGET /json\nGET /sleep\nGET /hello/{name}\nPOST /echo\n");
}

TEST_F(routes, know_their_methods) {
  EXPECT_EQ(ask("POST /plaintext").status(), http::status::method_not_allowed);
  EXPECT_EQ(ask("GET /echo").status(), http::status::method_not_allowed);
  EXPECT_EQ(ask("HEAD /json").status(), http::status::ok);
  EXPECT_EQ(ask("GET /unheard-of").status(), http::status::not_found);
}

}  // namespace
}  // namespace httpd
