// SPDX-License-Identifier: MIT
#pragma once

// Heads of requests, good and bad, each with what the parser has to make of it.
// tests/fuzz/corpus/request_parser has them as seeds.

#include <string>
#include <string_view>
#include <vector>

#include "umcg/http/status.hpp"

namespace umcg::http::testing {

struct refused_head {
  std::string_view what;
  std::string text;
  status why;
};

inline std::string with_fields(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

inline std::string with_target(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

inline std::string with_host(std::string_view host) {
  return "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

inline std::vector<std::string> accepted_heads() {
  std::vector<std::string> heads = {
      "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      "OPTIONS http://a.example HTTP/1.1\r\nHost: a\r\n\r\n",
      "get / HTTP/1.1\r\nhOST: a\r\n\r\n",
      "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
      "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      with_fields("Accept:text/html\r\nX-Empty:\r\nX-Tabs:\t a b \t\r\n"),
      with_fields("X-Bytes: \x80\xff and a tab\tinside\r\n"),
      with_fields("X-Long: " + std::string(300, 'v') + "\r\n"),
      with_fields("Connection: foo, Close , bar\r\n"),
      with_target("/a/b%20c?x=%zz&y=[1]"),
      with_target("//a"),
      with_target("/?"),
      with_target("http://user.example:80/p?q"),
      with_target("HTTPS://[::1]:443?only=query"),
  };
  for (const char* host : {"", "example.org", "example.org:", "a:65535", "[2001:db8::1]",
                           "[::1]:8080", "1.2.3.4:80", "a%20b", "under_score"}) {
    heads.push_back(with_host(host));
  }
  return heads;
}

inline std::vector<refused_head> refused_request_lines() {
  constexpr status bad = status::bad_request;
  const std::string rest = "\r\nHost: a\r\n\r\n";
  const std::string nul("\0", 1);
  return {
      {"bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", bad},
      {"bare CR", "GET / HTTP/1.1\rHost: a\r\n\r\n", bad},
      {"two empty lines first", "\r\n\r\nGET / HTTP/1.1" + rest, bad},
      {"LF first", "\nGET / HTTP/1.1" + rest, bad},
      {"space first", " GET / HTTP/1.1" + rest, bad},
      {"two spaces", "GET  / HTTP/1.1" + rest, bad},
      {"two spaces before the version", "GET /  HTTP/1.1" + rest, bad},
      {"space at the end", "GET / HTTP/1.1 " + rest, bad},
      {"tab for a space", "GET\t/ HTTP/1.1" + rest, bad},
      {"no version", "GET /" + rest, bad},
      {"space and no version", "GET / " + rest, bad},
      {"no method", "/ HTTP/1.1" + rest, bad},
      {"colon in the method", "GE:T / HTTP/1.1" + rest, bad},
      {"NUL in the method", "GE" + nul + "T / HTTP/1.1" + rest, bad},
      {"method without end", std::string(40, 'A') + " / HTTP/1.1" + rest, status::not_implemented},
      {"small letters in the version", "GET / http/1.1" + rest, bad},
      {"version of two digits", "GET / HTTP/1.10" + rest, bad},
      {"version without minor", "GET / HTTP/2" + rest, bad},
      {"garbage for a version", "GET / XTTP/1.1" + rest, bad},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status::http_version_not_supported},
      {"version 2.0", "GET / HTTP/2.0" + rest, status::http_version_not_supported},
      {"version 0.9", "GET / HTTP/0.9" + rest, status::http_version_not_supported},
      {"TLS", "\x16\x03\x01\x02" + rest, bad},
      {"NUL in the target", "GET /" + nul + " HTTP/1.1" + rest, bad},
      {"control in the target", with_target("/\x01"), bad},
      {"UTF-8 in the target", with_target("/\xc3\xa4"), bad},
      {"fragment", with_target("/a#b"), bad},
      {"fragment after a query", with_target("/a?b#c"), bad},
      {"broken escape", with_target("/%4"), bad},
      {"escape of no digits", with_target("/%zz"), bad},
      {"escaped NUL", with_target("/a%00b"), bad},
      {"relative target", with_target("a/b"), bad},
      {"asterisk for GET", with_target("*"), bad},
      {"authority for GET", with_target("a:80"), bad},
      {"another scheme", with_target("ftp://a/"), bad},
      {"absolute without a host", with_target("http:///a"), bad},
      {"absolute with only a port", with_target("http://:80/"), bad},
      {"absolute with a user", with_target("http://user@a/"), bad},
      {"absolute with a broken escape", with_target("http://a/%1"), bad},
      {"CONNECT", "CONNECT a:80 HTTP/1.1" + rest, status::not_implemented},
      {"CONNECT without a port", "CONNECT a HTTP/1.1" + rest, bad},
      {"CONNECT to a path", "CONNECT / HTTP/1.1" + rest, bad},
      {"long target", with_target("/" + std::string(9000, 'a')), status::uri_too_long},
      {"long query", with_target("/?" + std::string(9000, 'a')), status::uri_too_long},
  };
}

inline std::vector<refused_head> refused_fields() {
  constexpr status bad = status::bad_request;
  constexpr status large = status::request_header_fields_too_large;
  const std::string nul("\0", 1);
  std::string many;
  for (int i = 0; i < 101; ++i) many += "a: b\r\n";
  return {
      {"space before the colon", with_fields("Name : v\r\n"), bad},
      {"no colon", with_fields("Name\r\n"), bad},
      {"no name", with_fields(": v\r\n"), bad},
      {"obs-fold", with_fields("Name: v\r\n more\r\n"), bad},
      {"obs-fold with a tab", with_fields("Name: v\r\n\tmore\r\n"), bad},
      {"space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", bad},
      {"bare LF", "GET / HTTP/1.1\r\nHost: a\n\r\n", bad},
      {"bare LF at the end", "GET / HTTP/1.1\r\nHost: a\r\n\n", bad},
      {"bare CR in a value", with_fields("Name: a\rb\r\n"), bad},
      {"NUL in a value", with_fields("Name: a" + nul + "b\r\n"), bad},
      {"NUL in a name", with_fields("Na" + nul + "me: a\r\n"), bad},
      {"DEL in a value", with_fields("Name: a\x7f\r\n"), bad},
      {"byte above 127 in a name", with_fields("Na\xffme: a\r\n"), bad},
      {"large fields", with_fields("Name: " + std::string(40'000, 'v') + "\r\n"), large},
      {"many fields", with_fields(many), large},
      {"no Host", "GET / HTTP/1.1\r\nA: b\r\n\r\n", bad},
      {"no Host with an absolute target", "GET http://a/ HTTP/1.1\r\n\r\n", bad},
      {"Host twice", with_fields("Host: a\r\n"), bad},
      {"Host of two", with_host("a, b"), bad},
      {"Host with a user", with_host("user@a"), bad},
      {"Host with a path", with_host("a/b"), bad},
      {"Host with a bad port", with_host("a:8o"), bad},
      {"Host with a large port", with_host("a:65536"), bad},
      {"Host with two ports", with_host("a:1:2"), bad},
      {"Host with an open bracket", with_host("[::1"), bad},
      {"Host with a bad address", with_host("[::x]"), bad},
      {"Host with a broken escape", with_host("a%2"), bad},
      {"length twice", with_fields("Content-Length: 1\r\nContent-Length: 1\r\n"), bad},
      {"lengths that differ", with_fields("Content-Length: 1\r\nContent-Length: 2\r\n"), bad},
      {"list of lengths", with_fields("Content-Length: 1, 1\r\n"), bad},
      {"signed length", with_fields("Content-Length: +1\r\n"), bad},
      {"negative length", with_fields("Content-Length: -1\r\n"), bad},
      {"hexadecimal length", with_fields("Content-Length: 0x1\r\n"), bad},
      {"empty length", with_fields("Content-Length:\r\n"), bad},
      {"length and chunked", with_fields("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
       bad},
      {"chunked and length", with_fields("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
       bad},
      {"coding before chunked", with_fields("Transfer-Encoding: gzip, chunked\r\n"),
       status::not_implemented},
      {"coding after chunked", with_fields("Transfer-Encoding: chunked, gzip\r\n"), bad},
      {"coding that is not chunked", with_fields("Transfer-Encoding: xchunked\r\n"), bad},
      {"chunked twice", with_fields("Transfer-Encoding: chunked, chunked\r\n"), bad},
      {"chunked in two fields",
       with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), bad},
      {"chunked with a parameter", with_fields("Transfer-Encoding: chunked;q=1\r\n"), bad},
      {"no coding", with_fields("Transfer-Encoding: ,\r\n"), bad},
      {"chunked in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", bad},
      {"unknown expectation", with_fields("Expect: 200-ok\r\n"), status::expectation_failed},
  };
}

}  // namespace umcg::http::testing
