// SPDX-License-Identifier: MIT

// Unusual requests that a server has to understand, each as the RFC named in the test says. Each is
// followed by another request on the same connection, which must be answered as well.

#include <string>

#include <gtest/gtest.h>

#include "unit/http/test_peer.hpp"

namespace umcg::http {
namespace {

struct accepted_request {
  const char* name;  // clause first
  std::string text;
  std::string answer;  // "method path host body" as the handler saw them
};

std::string post(std::string_view fields, std::string_view body) {
  return "POST /p HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

const accepted_request cases[] = {
    {"rfc9112_2_2_empty_line_before_a_request", "\r\nGET /p HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /p a "},
    {"rfc9110_2_5_later_minor_version", "GET /p HTTP/1.9\r\nHost: a\r\n\r\n", "GET /p a "},
    {"rfc9112_3_2_no_host_in_http_1_0", "GET /p HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     "GET /p  "},
    {"rfc9110_7_2_empty_host", "GET /p HTTP/1.1\r\nHost:\r\n\r\n", "GET /p  "},
    {"rfc9110_7_2_host_that_is_an_ipv6_address", "GET /p HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
     "GET /p [::1]:80 "},
    {"rfc9112_3_2_2_absolute_form", "GET http://b:8/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /p b:8 "},
    {"rfc9112_3_2_2_absolute_form_in_capitals", "GET HTTP://b/p HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /p b "},
    {"rfc3986_6_2_2_2_escaped_letter", "GET /%70 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%70 a "},
    {"rfc9110_5_1_names_in_any_case", "POST /p HTTP/1.1\r\nhOsT: a\r\ncontent-LENGTH: 1\r\n\r\nx",
     "POST /p a x"},
    {"rfc9112_5_1_no_space_after_the_colon", "GET /p HTTP/1.1\r\nHost:a\r\n\r\n", "GET /p a "},
    {"rfc9112_5_1_spaces_and_tabs_around_a_value", "GET /p HTTP/1.1\r\nHost: \t a \t \r\n\r\n",
     "GET /p a "},
    {"rfc9110_5_5_bytes_above_127_in_a_value",
     "GET /p HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4\xff\r\n\r\n", "GET /p a "},
    {"rfc9110_9_3_1_content_of_get", "GET /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
     "GET /p a hi"},
    {"rfc9112_6_length_of_zero", post("Content-Length: 0\r\n", ""), "POST /p a "},
    {"rfc9112_6_neither_length_nor_chunked", post("", ""), "POST /p a "},
    {"rfc9110_8_6_leading_zeros", post("Content-Length: 0002\r\n", "hi"), "POST /p a hi"},
    {"rfc9112_7_1_chunks", post("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n"),
     "POST /p a hi!"},
    {"rfc9112_7_chunked_in_capitals",
     post("Transfer-Encoding: CHUNKED\r\n", "2\r\nhi\r\n0\r\n\r\n"), "POST /p a hi"},
    {"rfc9110_5_6_1_empty_list_elements",
     post("Transfer-Encoding: , chunked,\r\n", "2\r\nhi\r\n0\r\n\r\n"), "POST /p a hi"},
    {"rfc9112_7_1_sizes_in_capitals_with_zeros",
     post("Transfer-Encoding: chunked\r\n", "00A\r\n0123456789\r\n000\r\n\r\n"),
     "POST /p a 0123456789"},
    {"rfc9112_7_1_1_extensions",
     post("Transfer-Encoding: chunked\r\n", "2;a;b=c;d=\"\\\"e\"\r\nhi\r\n0;f\r\n\r\n"),
     "POST /p a hi"},
    {"rfc9112_7_1_2_trailers_are_no_header_fields",
     post("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\nContent-Length: 9\r\nHost: b\r\n\r\n"),
     "POST /p a hi"},
    {"rfc9110_7_6_1_unknown_connection_options",
     "GET /p HTTP/1.1\r\nHost: a\r\nConnection: upgrade, x\r\nUpgrade: h2c\r\n\r\n", "GET /p a "},
    {"rfc9110_10_1_1_expectation_in_http_1_0",
     "GET /p HTTP/1.0\r\nConnection: keep-alive\r\nExpect: x\r\n\r\n", "GET /p  "},
};

class accepted : public ::testing::TestWithParam<accepted_request> {};

TEST_P(accepted, is_answered_and_the_connection_goes_on) {
  service served;
  const auto handle = [](const request& asked) {
    std::string seen(asked.method());
    for (const std::string_view part : {asked.path(), asked.host(), asked.body()}) {
      seen.append(" ").append(part);
    }
    return response::text(seen);
  };
  served.get("/p", handle).post("/p", handle);
  testing::test_peer peer(served);
  peer.send(GetParam().text + "GET /p HTTP/1.1\r\nHost: next\r\n\r\n");
  const testing::received_response reply = peer.receive();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, GetParam().answer);
  EXPECT_EQ(peer.receive().body, "GET /p next ");
}

INSTANTIATE_TEST_SUITE_P(request, accepted, ::testing::ValuesIn(cases),
                         [](const auto& given) { return std::string(given.param.name); });

}  // namespace
}  // namespace umcg::http
