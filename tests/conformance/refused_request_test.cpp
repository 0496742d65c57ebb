// SPDX-License-Identifier: MIT

// Malformed and ambiguous requests, each with the status that the RFC named in the test asks for.
// Each is followed by a sound request on the same connection, which must not be answered: a server
// that goes on after bytes that two parsers may read differently lets one request be smuggled
// inside another.

#include <atomic>
#include <string>

#include <gtest/gtest.h>

#include "unit/http/test_peer.hpp"

namespace umcg::http {
namespace {

struct refused_request {
  const char* name;  // clause first
  std::string text;
  int status;
};

std::string get(std::string_view fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

std::string with_line(std::string_view line) { return std::string(line) + "\r\nHost: a\r\n\r\n"; }

std::string post(std::string_view fields, std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

const std::string nul(1, '\0');

const refused_request request_lines[] = {
    {"rfc9112_2_2_bare_lf_after_the_request_line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"rfc9112_2_2_bare_cr_after_the_request_line", "GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
    {"rfc9112_2_2_space_before_the_first_field", "GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n", 400},
    {"rfc9112_2_2_bytes_of_another_protocol", "\x16\x03\x01\x02\x03", 400},
    {"rfc9112_2_3_version_in_small_letters", with_line("GET / http/1.1"), 400},
    {"rfc9112_2_3_version_of_two_digits", with_line("GET / HTTP/1.11"), 400},
    {"rfc9112_2_3_version_that_is_garbage", with_line("GET / HTTX/1.1"), 400},
    {"rfc9110_15_6_6_version_2_0", with_line("GET / HTTP/2.0"), 505},
    {"rfc9110_15_6_6_preface_of_http_2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"rfc9112_3_two_spaces", with_line("GET  / HTTP/1.1"), 400},
    {"rfc9112_3_tab_for_a_space", with_line("GET\t/ HTTP/1.1"), 400},
    {"rfc9112_3_request_of_http_0_9", "GET /\r\n", 400},
    {"rfc9112_3_space_after_the_version", with_line("GET / HTTP/1.1 "), 400},
    {"rfc9112_3_line_too_long", with_line("GET /" + std::string(10'000, 'a') + " HTTP/1.1"), 414},
    {"rfc9112_3_method_longer_than_any", with_line(std::string(100, 'A') + " / HTTP/1.1"), 501},
    {"rfc9112_3_1_method_that_is_no_token", with_line("G@T / HTTP/1.1"), 400},
    {"rfc9112_3_2_space_in_the_target", with_line("GET /a b HTTP/1.1"), 400},
    {"rfc9112_3_2_fragment_in_the_target", with_line("GET /a#b HTTP/1.1"), 400},
    {"rfc9112_3_2_nul_in_the_target", with_line("GET /a" + nul + " HTTP/1.1"), 400},
    {"rfc9112_3_2_byte_above_127_in_the_target", with_line("GET /\xe4 HTTP/1.1"), 400},
    {"rfc9112_3_2_2_absolute_form_without_host", with_line("GET http:///a HTTP/1.1"), 400},
    {"rfc9112_3_2_3_authority_form_without_connect", with_line("GET a:80 HTTP/1.1"), 400},
    {"rfc9112_3_2_4_asterisk_form_without_options", with_line("GET * HTTP/1.1"), 400},
    {"rfc9110_9_3_6_connect", with_line("CONNECT a:80 HTTP/1.1"), 501},
    {"rfc9110_4_2_4_user_in_the_target", with_line("GET http://u@a/ HTTP/1.1"), 400},
    {"rfc3986_2_1_broken_escape_in_the_path", with_line("GET /%4x HTTP/1.1"), 400},
};

const refused_request fields[] = {
    {"rfc9112_3_2_no_host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
    {"rfc9112_3_2_two_hosts", get("Host: a\r\n"), 400},
    {"rfc9112_3_2_two_hosts_that_differ", get("Host: b\r\n"), 400},
    {"rfc9112_3_2_invalid_host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"rfc9112_3_2_host_with_a_path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"rfc9112_5_1_space_before_the_colon", get("X : y\r\n"), 400},
    {"rfc9112_5_1_tab_before_the_colon", get("X\t: y\r\n"), 400},
    {"rfc9112_5_1_space_before_the_colon_of_a_length", post("Content-Length : 1\r\n", "x"), 400},
    {"rfc9112_5_no_colon", get("X\r\n"), 400},
    {"rfc9110_5_1_no_name", get(": y\r\n"), 400},
    {"rfc9110_5_1_name_that_is_no_token", get("X(y): z\r\n"), 400},
    {"rfc9112_5_2_obs_fold", get("X: y\r\n z\r\n"), 400},
    {"rfc9112_5_2_obs_fold_before_chunked", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
     400},
    {"rfc9112_2_2_bare_lf_after_a_field", get("X: y\n"), 400},
    {"rfc9112_2_2_bare_lf_for_the_empty_line", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
    {"rfc9110_5_5_bare_cr_in_a_value", get("X: y\rZ: z\r\n"), 400},
    {"rfc9110_5_5_nul_in_a_value", get("X: y" + nul + "\r\n"), 400},
    {"rfc9110_5_5_control_in_a_value", get("X: \x01\r\n"), 400},
    {"rfc6585_5_fields_too_large", get("X: " + std::string(40'000, 'y') + "\r\n"), 431},
    {"rfc9110_10_1_1_unknown_expectation", get("Expect: the-unexpected\r\n"), 417},
};

const refused_request framings[] = {
    {"rfc9112_6_3_two_lengths", post("Content-Length: 1\r\nContent-Length: 2\r\n", "xy"), 400},
    {"rfc9112_6_3_one_length_twice", post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), 400},
    {"rfc9112_6_3_list_of_lengths", post("Content-Length: 1, 1\r\n", "x"), 400},
    {"rfc9112_6_3_signed_length", post("Content-Length: +1\r\n", "x"), 400},
    {"rfc9112_6_3_negative_length", post("Content-Length: -1\r\n", "x"), 400},
    {"rfc9112_6_3_hexadecimal_length", post("Content-Length: 0x1\r\n", "x"), 400},
    {"rfc9112_6_3_empty_length", post("Content-Length: \r\n", "x"), 400},
    {"rfc9110_15_5_14_length_beyond_64_bits", post("Content-Length: 18446744073709551617\r\n", "x"),
     413},
    {"rfc9110_15_5_14_length_beyond_the_limit", post("Content-Length: 1048577\r\n", "x"), 413},
    {"rfc9112_6_1_length_and_chunked",
     post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"rfc9112_6_1_chunked_and_length",
     post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
    {"rfc9112_6_1_chunked_in_http_1_0",
     "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"rfc9112_6_1_unknown_coding", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
    {"rfc9112_6_1_chunked_twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
     400},
    {"rfc9112_6_3_chunked_is_not_last", post("Transfer-Encoding: chunked, gzip\r\n", "x"), 400},
    {"rfc9112_6_3_coding_like_chunked", post("Transfer-Encoding: xchunked\r\n", "x"), 400},
    {"rfc9112_7_1_parameter_of_chunked", post("Transfer-Encoding: chunked;a\r\n", "0\r\n\r\n"),
     400},
    {"rfc9112_7_1_chunk_size_with_a_sign", chunked("+1\r\nx\r\n0\r\n\r\n"), 400},
    {"rfc9112_7_1_chunk_size_with_0x", chunked("0x1\r\nx\r\n0\r\n\r\n"), 400},
    {"rfc9112_7_1_chunk_size_beyond_64_bits", chunked("10000000000000001\r\nx\r\n0\r\n\r\n"), 400},
    {"rfc9112_7_1_no_chunk_size", chunked("\r\nx\r\n0\r\n\r\n"), 400},
    {"rfc9112_7_1_chunk_longer_than_its_size", chunked("1\r\nxy\r\n0\r\n\r\n"), 400},
    {"rfc9112_7_1_bare_lf_after_a_chunk_size", chunked("1\nx\r\n0\r\n\r\n"), 400},
    {"rfc9112_7_1_bare_lf_after_a_chunk", chunked("1\r\nx\n0\r\n\r\n"), 400},
    {"rfc9112_7_1_1_bare_lf_in_an_extension", chunked("1;a\nx\r\n0\r\n\r\n"), 400},
    {"rfc9112_7_1_1_endless_extension", chunked("1;" + std::string(5'000, 'a')), 400},
    {"rfc9112_7_1_2_broken_trailer", chunked("0\r\nX : y\r\n\r\n"), 400},
    {"rfc9110_15_5_14_chunks_beyond_the_limit", chunked("100001\r\nx"), 413},
};

class refused : public ::testing::TestWithParam<refused_request> {};

TEST_P(refused, is_answered_once_and_the_connection_closes) {
  std::atomic<int> handled = 0;
  service served;
  const auto handle = [&](const request&) {
    ++handled;
    return response::text("handled");
  };
  served.get("/", handle).post("/", handle).get("/next", handle);
  testing::test_peer peer(served);
  peer.send(GetParam().text + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  const testing::received_response reply = peer.receive();
  EXPECT_EQ(reply.status, GetParam().status);
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(peer.ended());
  EXPECT_EQ(handled, 0);
}

std::string name_of(const ::testing::TestParamInfo<refused_request>& given) {
  return given.param.name;
}

INSTANTIATE_TEST_SUITE_P(request_line, refused, ::testing::ValuesIn(request_lines), name_of);
INSTANTIATE_TEST_SUITE_P(field, refused, ::testing::ValuesIn(fields), name_of);
INSTANTIATE_TEST_SUITE_P(framing, refused, ::testing::ValuesIn(framings), name_of);

}  // namespace
}  // namespace umcg::http
