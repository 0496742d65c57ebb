// SPDX-License-Identifier: MIT
#pragma once

// Decodes the chunked transfer coding (RFC 9112 7.1): a pure function from a position and the bytes
// there to the next position. Extensions are checked and ignored; trailers are checked and dropped.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/request_parser.hpp"
#include "umcg/http/limits.hpp"

namespace umcg::http {

struct chunked_position {
  enum class place : std::uint8_t { size_line, data, data_end, trailers };

  std::uint64_t left = 0;        // bytes of the current chunk that are still to come
  std::uint64_t body_bytes = 0;  // of all chunks whose size has been read
  std::size_t extension_bytes = 0;
  std::size_t trailer_bytes = 0;
  std::size_t trailer_count = 0;
  place at = place::size_line;

  bool operator==(const chunked_position&) const = default;
};

struct chunked_step {
  // complete: the body has ended; incomplete: go on at `next` with what follows the consumed bytes,
  // and if none were consumed, with more bytes than this time.
  parsed outcome;
  std::size_t consumed = 0;
  std::string_view data = {};  // of the body, at the end of the consumed bytes
  status error = status::ok;   // malformed: what to answer
  chunked_position next = {};
};

chunked_step decode_chunked(const chunked_position& from, std::string_view input,
                            const limits& limits);

}  // namespace umcg::http
