// SPDX-License-Identifier: MIT
#include "umcg/net/with_options.hpp"

#include "net/error_code.hpp"

namespace umcg::net {

int option_target::family() const noexcept {
  int family = AF_UNSPEC;
  socklen_t size = sizeof family;
  ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
  return family;
}

void set_option_of(int fd, int level, int name, asio::const_buffer value,
                   std::error_code& error) noexcept {
  const auto size = static_cast<socklen_t>(value.size());
  const int result = ::setsockopt(fd, level, name, value.data(), size);
  error = result == 0 ? std::error_code() : last_error();
}

std::size_t get_option_of(int fd, int level, int name, asio::mutable_buffer into,
                          std::error_code& error) noexcept {
  auto size = static_cast<socklen_t>(into.size());
  const int result = ::getsockopt(fd, level, name, into.data(), &size);
  error = result == 0 ? std::error_code() : last_error();
  return size;
}

}  // namespace umcg::net
