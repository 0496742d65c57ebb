// SPDX-License-Identifier: MIT

#include "net/socket_endpoint.hpp"

#include <asio/error.hpp>

#include "net/error_code.hpp"

namespace umcg::net {
namespace {

// What `ask` says of the socket, if it is of one of two families.
template <class Endpoint>
Endpoint asked(int fd, ask_endpoint ask, std::array<int, 2> families, std::error_code& error) {
  Endpoint result;
  auto size = static_cast<socklen_t>(result.capacity());
  if (ask(fd, result.data(), &size) != 0) {
    error = last_error();
    return {};
  }
  // Other families may have longer addresses than an endpoint holds.
  const int family = result.data()->sa_family;
  if (family != families[0] && family != families[1]) {
    error = asio::error::address_family_not_supported;
    return {};
  }
  result.resize(size);
  error.clear();
  return result;
}

}  // namespace

endpoint socket_endpoint(int fd, ask_endpoint ask, std::error_code& error) {
  return asked<endpoint>(fd, ask, {AF_INET, AF_INET6}, error);
}

unix_endpoint unix_socket_endpoint(int fd, ask_endpoint ask, std::error_code& error) {
  return asked<unix_endpoint>(fd, ask, {AF_UNIX, AF_UNIX}, error);
}

}  // namespace umcg::net
