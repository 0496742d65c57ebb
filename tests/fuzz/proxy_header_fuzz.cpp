// SPDX-License-Identifier: MIT

// Any bytes at the beginning of a connection: no crash, nothing read outside the input, the same
// verdict for the whole and for each prefix that is enough for one, and a header that is accepted
// says what its plainest form says.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/proxy_header_parser.hpp"

namespace {

using namespace umcg::net;

void require(bool holds) {
  if (!holds) std::abort();
}

// In memory of its own size, so that the sanitizer sees a step beyond it.
header_result parse_copy(std::string_view text, proxy_header& header) {
  const std::vector<char> copy(text.begin(), text.end());
  return parse_proxy_header({copy.data(), copy.size()}, header);
}

void check_endpoints(const proxy_header& header) {
  require(header.source.has_value() == header.destination.has_value());
  if (!header.source) return;
  const bool v4 = header.source->address().is_v4();
  require(v4 == header.destination->address().is_v4());
  const std::string plain = std::string("PROXY ") + (v4 ? "TCP4 " : "TCP6 ") +
                            header.source->address().to_string() + ' ' +
                            header.destination->address().to_string() + ' ' +
                            std::to_string(header.source->port()) + ' ' +
                            std::to_string(header.destination->port()) + "\r\n";
  proxy_header again;
  require(parse_copy(plain, again) == header_result{header_outcome::complete, plain.size()});
  require(again.source == header.source && again.destination == header.destination);
}

void check_header(const proxy_header& header, const header_result& result, std::size_t size) {
  require(result.consumed <= size);
  require(header.version == 1 || header.version == 2);
  if (header.version == 1) {
    require(result.consumed <= proxy_line_bytes_max && !header.local && header.vectors.empty());
  }
  if (header.local) require(!header.source && header.vectors.empty());
  check_endpoints(header);
  for (int type = 0; type < 256; ++type) {
    const auto value = header.find(static_cast<proxy_header::vector_type>(type));
    require(!value || value->size() + 3 <= header.vectors.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  proxy_header header;
  const header_result whole = parse_copy(input, header);
  if (whole.outcome == header_outcome::complete) check_header(header, whole, size);
  for (std::size_t end = 0; end < size; ++end) {
    proxy_header part;
    const header_result prefix = parse_copy(input.substr(0, end), part);
    if (prefix.outcome == header_outcome::incomplete) continue;
    require(prefix == whole);
    break;
  }
  return 0;
}
