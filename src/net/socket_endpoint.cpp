// SPDX-License-Identifier: MIT

#include "net/socket_endpoint.hpp"

#include <asio/error.hpp>

#include "net/error_code.hpp"

namespace umcg::net {

endpoint socket_endpoint(int fd, int (*ask)(int, sockaddr*, socklen_t*), std::error_code& error) {
  endpoint result;
  auto size = static_cast<socklen_t>(result.capacity());
  if (ask(fd, result.data(), &size) != 0) {
    error = last_error();
    return {};
  }
  // Other families may have longer addresses than an endpoint holds.
  if (result.data()->sa_family != AF_INET && result.data()->sa_family != AF_INET6) {
    error = asio::error::address_family_not_supported;
    return {};
  }
  result.resize(size);
  error.clear();
  return result;
}

}  // namespace umcg::net
