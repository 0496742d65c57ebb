// SPDX-License-Identifier: MIT
#pragma once

// How much of anything one connection may ask for. All are on by default. A duration of
// std::chrono::milliseconds::max() switches that deadline off.

#include <chrono>
#include <cstddef>

namespace umcg::http {

struct limits {
  // The request line with its line ending; RFC 9112 3 asks for at least 8,000. Beyond: 414.
  std::size_t request_line_bytes = 8192;
  // All header fields of a request, line endings included, and again all its trailers. Beyond: 431.
  std::size_t header_bytes = 32 * 1024;
  std::size_t header_count = 100;
  // A request's body after decoding. Beyond: 413.
  std::size_t body_bytes = 1024 * 1024;
  // All chunk extensions of one body together. Beyond: 400.
  std::size_t chunk_extension_bytes = 4096;

  // From a connection's start to the end of its TLS handshake. Then: close.
  std::chrono::milliseconds handshake_duration = std::chrono::seconds(10);
  // From a connection's start, or its last response, to the first byte of a request. Then: close.
  std::chrono::milliseconds keep_alive_duration = std::chrono::seconds(60);
  // From a request's first byte to the end of its head. Then: 408.
  std::chrono::milliseconds request_head_duration = std::chrono::seconds(10);
  // From the end of its head to the end of its body. Then: 408.
  std::chrono::milliseconds request_body_duration = std::chrono::seconds(30);
  // What request::deadline() grants the handler, from the end of the body.
  std::chrono::milliseconds handler_duration = std::chrono::seconds(60);
  // That the client takes no byte of a response that waits to be sent. Then: close.
  std::chrono::milliseconds response_duration = std::chrono::seconds(30);
};

}  // namespace umcg::http
