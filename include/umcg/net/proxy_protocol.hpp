// SPDX-License-Identifier: MIT
#pragma once

// The PROXY protocol, versions 1 and 2: a proxy or load balancer says at the beginning of a
// connection whose connection it is. A listener is told to expect that by listen_options::proxy;
// HAProxy's proxy-protocol.txt is the specification.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "umcg/net/address_range.hpp"
#include "umcg/net/endpoint.hpp"

namespace umcg::net {

// What a listener expects. Who may announce anything can announce any address: name the proxies.
struct proxy_protocol {
  // From where headers are taken, and have to come. Everybody, over a Unix-domain socket.
  std::vector<address_range> trusted = {};
  // Connections from elsewhere: true, they are clients without a proxy and send no header; false,
  // they are closed. With true, everybody who is not a proxy can connect past it.
  bool others_pass = false;
  // A header that is not complete so long after the connection was accepted is none.
  std::chrono::milliseconds header_duration = std::chrono::seconds(5);
};

// What a proxy has announced.
struct proxy_header {
  // The most bytes that follow the first 16 of a header of version 2: others are refused.
  static constexpr std::size_t block_bytes_max = 4096;

  enum class vector_type : std::uint8_t {  // those that the specification names
    alpn = 0x01,
    authority = 0x02,
    crc32c = 0x03,
    noop = 0x04,
    unique_id = 0x05,
    ssl = 0x20,
    netns = 0x30,
  };

  int version = 0;  // 1 or 2
  // The proxy speaks for itself, as in health checks.
  bool local = false;
  // Of the connection that the proxy has taken. None: of a protocol other than TCP over IP, or
  // unknown, or `local`; the connection's own endpoints count then.
  std::optional<endpoint> source = {};
  std::optional<endpoint> destination = {};
  // Version 2: the type-length-value vectors, as they came. Their form has been checked, and a
  // crc32c.
  std::string vectors = {};

  // The value of the first vector of that type.
  std::optional<std::string_view> find(vector_type wanted) const noexcept;
};

}  // namespace umcg::net
