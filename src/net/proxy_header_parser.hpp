// SPDX-License-Identifier: MIT
#pragma once

// Reads the header of the PROXY protocol from the first bytes of a connection.

#include <cstddef>
#include <string_view>

#include "umcg/net/proxy_protocol.hpp"

namespace umcg::net {

enum class header_outcome { complete, incomplete, invalid };

struct header_result {
  header_outcome outcome = header_outcome::incomplete;
  std::size_t consumed = 0;  // complete: bytes of the header

  bool operator==(const header_result&) const = default;
};

// A header of version 1 has at most that many bytes.
inline constexpr std::size_t proxy_line_bytes_max = 107;

// `into` is set when the header is complete. Incomplete: `bytes` are the beginning of a header, and
// no byte behind it is among them. Invalid: whatever follows.
header_result parse_proxy_header(std::string_view bytes, proxy_header& into);

}  // namespace umcg::net
