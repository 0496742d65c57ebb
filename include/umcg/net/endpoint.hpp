// SPDX-License-Identifier: MIT
#pragma once

// An endpoint is an IPv4 or IPv6 address and a TCP port: Asio's type, and its form as text.

#include <string>
#include <string_view>
#include <system_error>

#include <asio/ip/tcp.hpp>

namespace umcg::net {

using endpoint = asio::ip::tcp::endpoint;

// Reads "127.0.0.1:8080", "[::1]:8080", "[fe80::1%eth0]:8080" (the zone is an interface, by name or
// number) and ":8080", which is "[::]:8080" and where listener::bind means every IPv4 and IPv6
// address. The host is an address, not a name: resolving is another call. Port 0 lets the kernel
// choose when a listener binds. Errors: invalid_argument; the text of the exception says what is
// accepted.
endpoint parse_endpoint(std::string_view text);
endpoint parse_endpoint(std::string_view text, std::error_code& error);

// parse_endpoint(to_string(e)) == e. Zones are written as numbers, which stay true when an
// interface is renamed.
std::string to_string(const endpoint& where);

}  // namespace umcg::net
