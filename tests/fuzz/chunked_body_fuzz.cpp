// SPDX-License-Identifier: MIT

// Any bytes as a chunked body: no crash, nothing read outside the input, and the same body, verdict
// and end however the bytes arrive.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/chunked_body.hpp"

namespace {

using namespace umcg::http;

struct decoded {
  parsed outcome = parsed::incomplete;
  status error = status::ok;
  std::string body;
  std::size_t consumed = 0;

  bool operator==(const decoded&) const = default;
};

void require(bool holds) {
  if (!holds) std::abort();
}

// Decodes what arrives up to `end`, going on at `position`. True: there is a verdict.
bool decode_until(std::size_t end, std::string_view text, const limits& limits,
                  chunked_position& position, decoded& result) {
  for (;;) {
    const std::string_view left = text.substr(result.consumed, end - result.consumed);
    const std::vector<char> copy(left.begin(), left.end());
    const chunked_step step = decode_chunked(position, {copy.data(), copy.size()}, limits);
    require(step.consumed <= left.size());
    result.body += step.data;
    result.consumed += step.consumed;
    result.outcome = step.outcome;
    result.error = step.error;
    position = step.next;
    if (step.outcome != parsed::incomplete) return true;
    if (step.consumed == 0) return false;
  }
}

decoded decode_in_pieces(std::string_view text, std::size_t piece, const limits& limits) {
  decoded result;
  chunked_position position;
  for (std::size_t end = 0; end < text.size();) {
    end = std::min(end + piece, text.size());
    if (decode_until(end, text, limits, position, result)) break;
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first byte chooses limits, so that these are met too.
  limits limits;
  if (data[0] & 1) limits.body_bytes = 20;
  if (data[0] & 2) limits.chunk_extension_bytes = 10;
  if (data[0] & 4) limits.header_bytes = 20;
  if (data[0] & 8) limits.header_count = 1;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const decoded whole = decode_in_pieces(input, input.size(), limits);
  require(whole.body.size() <= limits.body_bytes && whole.consumed <= input.size());
  for (const std::size_t piece : {1U, 2U, 3U, 7U}) {
    require(decode_in_pieces(input, piece, limits) == whole);
  }
  return 0;
}
