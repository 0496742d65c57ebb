// SPDX-License-Identifier: MIT
#pragma once

// Asks the kernel for the endpoint at one end of a socket.

#include <sys/socket.h>

#include <system_error>

#include "umcg/net/endpoint.hpp"

namespace umcg::net {

// `ask` is getsockname or getpeername. Errors: theirs, and address_family_not_supported if `fd` is
// not an IPv4 or IPv6 socket.
endpoint socket_endpoint(int fd, int (*ask)(int, sockaddr*, socklen_t*), std::error_code& error);

}  // namespace umcg::net
