// SPDX-License-Identifier: MIT

#include "http/router.hpp"

#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace umcg::http {
namespace {

handler nothing() {
  return [](const request&) { return response(); };
}

class routes : public ::testing::Test {
 protected:
  void add(std::string_view method, std::string_view pattern) {
    table.add(method, pattern, nothing());
  }

  // The pattern that a request is routed to, with its parameters: "/users/{id} id=7".
  std::string find(std::string_view path, std::string_view method = "GET") {
    text = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    request asked = request::parse(text);
    const route* const found = table.find(asked);
    if (!found) return "none";
    std::string result = found->method + " " + found->pattern;
    for (const std::string& name : found->parameters) {
      result += " " + name + "=" + std::string(asked.path_parameter(name));
    }
    return result;
  }

  router table;
  std::string text;
};

TEST_F(routes, match_whole_paths) {
  add("GET", "/");
  add("GET", "/a");
  add("GET", "/a/");
  add("GET", "/a/b");
  EXPECT_EQ(find("/"), "GET /");
  EXPECT_EQ(find("/a"), "GET /a");
  EXPECT_EQ(find("/a?b"), "GET /a");
  EXPECT_EQ(find("/a/"), "GET /a/");
  EXPECT_EQ(find("/a/b"), "GET /a/b");
  EXPECT_EQ(find("/A"), "none");
  EXPECT_EQ(find("/a/b/"), "none");
  EXPECT_EQ(find("/a//b"), "none");
  EXPECT_EQ(find("//"), "none");
}

TEST_F(routes, take_parameters) {
  add("GET", "/users/{id}");
  add("GET", "/users/{id}/posts/{post}");
  EXPECT_EQ(find("/users/7"), "GET /users/{id} id=7");
  EXPECT_EQ(find("/users/7/posts/x-y"), "GET /users/{id}/posts/{post} id=7 post=x-y");
  EXPECT_EQ(find("/users/"), "none");
  EXPECT_EQ(find("/users//posts/1"), "none");
}

TEST_F(routes, prefer_literals_and_come_back) {
  add("GET", "/{x}/b/c");
  add("GET", "/a/{y}/d");
  add("GET", "/a/b/{z}");
  EXPECT_EQ(find("/a/b/c"), "GET /a/b/{z} z=c");
  EXPECT_EQ(find("/a/b/d"), "GET /a/b/{z} z=d");
  EXPECT_EQ(find("/a/q/d"), "GET /a/{y}/d y=q");
  EXPECT_EQ(find("/q/b/c"), "GET /{x}/b/c x=q");
  EXPECT_EQ(find("/q/b/d"), "none");
}

TEST_F(routes, are_found_by_method_wherever_they_are) {
  add("GET", "/{x}");
  add("POST", "/a");
  EXPECT_EQ(find("/a"), "GET /{x} x=a");
  EXPECT_EQ(find("/a", "POST"), "POST /a");
  EXPECT_EQ(find("/b", "POST"), "none");
  EXPECT_EQ(table.allowed("/a"), "GET, HEAD, POST");
  EXPECT_EQ(table.allowed("/b"), "GET, HEAD");
  EXPECT_EQ(table.allowed("/b/c"), "");
  EXPECT_EQ(table.allowed("*"), "GET, HEAD, POST");
}

TEST_F(routes, answer_head_with_get_unless_there_is_better) {
  add("GET", "/a");
  add("GET", "/b");
  add("HEAD", "/b");
  EXPECT_EQ(find("/a", "HEAD"), "GET /a");
  EXPECT_EQ(find("/b", "HEAD"), "HEAD /b");
}

TEST_F(routes, decode_segment_by_segment) {
  add("GET", "/files/{name}");
  add("GET", "/a b");
  EXPECT_EQ(find("/%66iles/x%20y"), "GET /files/{name} name=x y");
  EXPECT_EQ(find("/files/a%2Fb"), "GET /files/{name} name=a/b");
  EXPECT_EQ(find("/files/%C3%A4+"), "GET /files/{name} name=\xc3\xa4+");
  EXPECT_EQ(find("/files%2Fx"), "none");
  EXPECT_EQ(find("/a%20b"), "GET /a b");
}

TEST_F(routes, give_no_dot_segment_to_a_parameter) {
  add("GET", "/files/{name}");
  for (const char* path : {"/files/.", "/files/..", "/files/%2e%2E", "/files/%2e"}) {
    EXPECT_EQ(find(path), "none") << path;
  }
  EXPECT_EQ(find("/files/..."), "GET /files/{name} name=...");
}

TEST_F(routes, refuse_bad_patterns) {
  add("GET", "/taken/{x}");
  const std::string many = "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}";
  for (const std::string& pattern :
       {std::string(""), std::string("a"), std::string("*"), std::string("/{}"), std::string("/{a"),
        std::string("/a}"), std::string("/x{a}"), std::string("/{a}x"), std::string("/{a{b}}"),
        std::string("/{"), std::string("/{a}/{a}"), std::string("/taken/{y}"), many}) {
    EXPECT_THROW(add("GET", pattern), std::invalid_argument) << pattern;
  }
  EXPECT_THROW(add("", "/"), std::invalid_argument);
  EXPECT_THROW(add("G T", "/"), std::invalid_argument);
  EXPECT_THROW(table.add("GET", "/", handler()), std::invalid_argument);
  add("GET", many.substr(0, many.size() - 4));
}

TEST_F(routes, know_the_methods_of_http_and_their_own) {
  add("BREW", "/pot");
  for (const char* method : {"GET", "HEAD", "PATCH", "TRACE", "BREW"}) {
    EXPECT_TRUE(table.knows_method(method)) << method;
  }
  for (const char* method : {"get", "BREWS", ""}) EXPECT_FALSE(table.knows_method(method));
}

}  // namespace
}  // namespace umcg::http
