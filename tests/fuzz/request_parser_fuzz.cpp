// SPDX-License-Identifier: MIT

// Any bytes as the head of a request: no crash, nothing read outside the input, the same verdict
// for the whole and for each prefix that is enough for one, and every field of an accepted head in
// its place.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/request_parser.hpp"

namespace {

using namespace umcg::http;

void require(bool holds) {
  if (!holds) std::abort();
}

// In memory of its own size, so that the sanitizer sees a step beyond it.
parse_result parse_copy(std::string_view text, const limits& limits) {
  const std::vector<char> copy(text.begin(), text.end());
  request_head head;
  return parse_request_head({copy.data(), copy.size()}, limits, head);
}

void check_inside(std::string_view part, std::string_view whole) {
  if (part.empty()) return;
  require(part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_head(const request_head& head, std::string_view input, const parse_result& result) {
  const std::string_view text = input.substr(0, result.consumed);
  require(result.consumed <= input.size() && text.ends_with("\r\n\r\n"));
  require(!head.method.empty() && !head.target.empty() && !head.path.empty());
  for (const std::string_view part : {head.method, head.target, head.query, head.host}) {
    check_inside(part, text);
  }
  require(head.path.front() == '/' || head.path == "*");
  require(!(head.chunked && head.content_length != 0));
  std::string again;
  for (const auto& [name, value] : head.fields) {
    check_inside(name, text);
    check_inside(value, text);
    require(name.find_first_of(std::string_view(" \t\r\n:\0", 6)) == name.npos);
    require(value.find_first_of(std::string_view("\r\n\0", 3)) == value.npos);
    again.append(name).append(": ").append(value).append("\r\n");
  }
  // What was accepted is accepted again in its plainest form, with the same meaning.
  const std::string version = head.version == version::http_1_1 ? "1.1" : "1.0";
  const std::string plain = std::string(head.method) + ' ' + std::string(head.target) + " HTTP/" +
                            version + "\r\n" + again + "\r\n";
  limits roomy;
  roomy.request_line_bytes = roomy.header_bytes = roomy.header_count = plain.size() + 1;
  request_head second;
  require(parse_request_head(plain, roomy, second).outcome == parsed::complete);
  require(second.path == head.path && second.query == head.query && second.host == head.host);
  require(second.content_length == head.content_length && second.chunked == head.chunked);
  require(second.keep_alive == head.keep_alive);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first byte chooses limits, so that these are met too.
  limits limits;
  if (data[0] & 1) limits.request_line_bytes = 40;
  if (data[0] & 2) limits.header_bytes = 60;
  if (data[0] & 4) limits.header_count = 2;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  request_head head;
  const parse_result whole = parse_request_head(input, limits, head);
  if (whole.outcome == parsed::complete) check_head(head, input, whole);
  for (std::size_t end = 0; end < input.size(); ++end) {
    const parse_result prefix = parse_copy(input.substr(0, end), limits);
    if (prefix.outcome == parsed::incomplete) continue;
    require(prefix == whole);
    break;
  }
  return 0;
}
