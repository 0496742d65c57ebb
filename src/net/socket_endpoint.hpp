// SPDX-License-Identifier: MIT
#pragma once

// Asks the kernel for the endpoint at one end of a socket.

#include <sys/socket.h>

#include <array>
#include <system_error>

#include "umcg/net/endpoint.hpp"
#include "umcg/net/unix_endpoint.hpp"

namespace umcg::net {

// getsockname or getpeername.
using ask_endpoint = int (*)(int, sockaddr*, socklen_t*);

// Errors: theirs, and address_family_not_supported if `fd` is not an IPv4 or IPv6 socket, or not a
// Unix-domain one.
endpoint socket_endpoint(int fd, ask_endpoint ask, std::error_code& error);
unix_endpoint unix_socket_endpoint(int fd, ask_endpoint ask, std::error_code& error);

}  // namespace umcg::net
