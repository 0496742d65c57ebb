// SPDX-License-Identifier: MIT

#include "umcg/net/datagram_socket.hpp"

#include <sys/socket.h>

#include <utility>

#include "base/unique_fd.hpp"
#include "io/operations.hpp"
#include "net/error_code.hpp"
#include "net/socket_endpoint.hpp"

namespace umcg::net {
namespace {

msghdr message_of(const buffer_list& list) noexcept {
  const std::span<const iovec> entries = list.entries();
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(entries.data());
  message.msg_iovlen = entries.size();
  return message;
}

bool fits(const buffer_list& list, std::error_code& error) {
  if (!list.complete()) error = asio::error::invalid_argument;
  return list.complete();
}

}  // namespace

datagram_socket::datagram_socket(datagram_socket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      serial_(other.serial_),
      deadline_(std::exchange(other.deadline_, deadline::never())) {}

datagram_socket& datagram_socket::operator=(datagram_socket&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  serial_ = other.serial_;
  deadline_ = std::exchange(other.deadline_, deadline::never());
  return *this;
}

datagram_socket::~datagram_socket() { close(); }

void datagram_socket::close() noexcept { base::unique_fd closing(std::exchange(fd_, -1)); }

datagram_socket datagram_socket::open(const endpoint& of_family, std::error_code& error) {
  datagram_socket made;
  made.fd_ = ::socket(of_family.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  made.serial_ = io::new_serial();
  error = made.is_open() ? std::error_code() : last_error();
  return made;
}

datagram_socket datagram_socket::bind(const endpoint& where, std::error_code& error) {
  datagram_socket made = open(where, error);
  if (error) return {};
  if (::bind(made.fd_, where.data(), static_cast<socklen_t>(where.size())) == 0) return made;
  error = last_error();
  return {};
}

datagram_socket datagram_socket::bind(const endpoint& where) {
  std::error_code error;
  datagram_socket made = bind(where, error);
  if (error) throw std::system_error(error, "bind to " + to_string(where));
  return made;
}

void datagram_socket::connect(const endpoint& peer, std::error_code& error) {
  const int result = ::connect(fd_, peer.data(), static_cast<socklen_t>(peer.size()));
  error = result == 0 ? std::error_code() : last_error();
}

void datagram_socket::connect(const endpoint& peer) {
  std::error_code error;
  connect(peer, error);
  if (error) throw std::system_error(error, "connect to " + to_string(peer));
}

datagram_socket datagram_socket::connected(const endpoint& peer, std::error_code& error) {
  datagram_socket made = open(peer, error);
  if (!error) made.connect(peer, error);
  if (error) return {};
  return made;
}

datagram_socket datagram_socket::connected(const endpoint& peer) {
  std::error_code error;
  datagram_socket made = connected(peer, error);
  if (error) throw std::system_error(error, "connect to " + to_string(peer));
  return made;
}

std::size_t datagram_socket::receive_list(const buffer_list& into, endpoint* sender,
                                          std::error_code& error) {
  if (!fits(into, error)) return 0;
  msghdr message = message_of(into);
  if (sender != nullptr) {
    message.msg_name = sender->data();
    message.msg_namelen = static_cast<socklen_t>(sender->capacity());
  }
  const std::size_t size = io::recv_message({fd_, serial_}, message, 0, deadline_, error);
  if (error) {
    error = named_error(error);
    return 0;
  }
  if (sender != nullptr) sender->resize(message.msg_namelen);
  if ((message.msg_flags & MSG_TRUNC) != 0) error = asio::error::message_size;
  return size;
}

std::size_t datagram_socket::send_list(const buffer_list& bytes, const endpoint* receiver,
                                       std::error_code& error) {
  if (!fits(bytes, error)) return 0;
  msghdr message = message_of(bytes);
  if (receiver != nullptr) {
    message.msg_name = const_cast<sockaddr*>(receiver->data());
    message.msg_namelen = static_cast<socklen_t>(receiver->size());
  }
  const std::size_t size = io::send_message({fd_, serial_}, message, deadline_, error);
  if (error) error = named_error(error);
  return size;
}

endpoint datagram_socket::local_endpoint(std::error_code& error) const {
  return socket_endpoint(fd_, &::getsockname, error);
}

endpoint datagram_socket::local_endpoint() const {
  std::error_code error;
  endpoint local = local_endpoint(error);
  throw_if(error, "local_endpoint");
  return local;
}

endpoint datagram_socket::remote_endpoint(std::error_code& error) const {
  return socket_endpoint(fd_, &::getpeername, error);
}

endpoint datagram_socket::remote_endpoint() const {
  std::error_code error;
  endpoint remote = remote_endpoint(error);
  throw_if(error, "remote_endpoint");
  return remote;
}

}  // namespace umcg::net
