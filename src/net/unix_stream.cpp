// SPDX-License-Identifier: MIT

// What is particular to streams over Unix-domain sockets.

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "io/operations.hpp"
#include "net/error_code.hpp"
#include "net/socket_endpoint.hpp"
#include "umcg/net/stream.hpp"

namespace umcg::net {
namespace {

constexpr std::chrono::milliseconds first_pause(1);
constexpr std::chrono::milliseconds longest_pause(16);

// Nothing tells when the queue of a Unix-domain listener has room, so a connect that finds it full
// is tried again and again. (io_uring waits for it, in a thread of the kernel.)
void connect_when_there_is_room(io::descriptor fd, const unix_endpoint& peer, deadline until,
                                std::error_code& error) {
  auto pause = first_pause;
  for (;;) {
    io::connect(fd, peer.data(), static_cast<socklen_t>(peer.size()), until, error);
    if (error != std::errc::resource_unavailable_try_again) return;
    if (until.passed()) break;
    io::sleep_until(std::min(until, deadline::after(pause)), error);
    if (error) return;
    pause = std::min(2 * pause, longest_pause);
  }
  error = asio::error::timed_out;
}

}  // namespace

stream stream::connect(const unix_endpoint& peer, deadline until, std::error_code& error) {
  stream connecting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!connecting.is_open()) {
    error = last_error();
    return {};
  }
  connect_when_there_is_room({connecting.fd_, connecting.serial_}, peer, until, error);
  if (!error) return connecting;
  error = named_error(error);
  return {};
}

stream stream::connect(const unix_endpoint& peer, deadline until) {
  std::error_code error;
  stream connected = connect(peer, until, error);
  if (error) throw std::system_error(error, "connect to " + to_string(peer));
  return connected;
}

std::pair<stream, stream> stream::pair(std::error_code& error) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    error = last_error();
    return {};
  }
  error.clear();
  return {stream(ends[0]), stream(ends[1])};
}

std::pair<stream, stream> stream::pair() {
  std::error_code error;
  std::pair<stream, stream> both = pair(error);
  throw_if(error, "pair");
  return both;
}

unix_endpoint stream::local_unix_endpoint(std::error_code& error) const {
  return unix_socket_endpoint(fd_, &::getsockname, error);
}

unix_endpoint stream::local_unix_endpoint() const {
  std::error_code error;
  unix_endpoint local = local_unix_endpoint(error);
  throw_if(error, "local_unix_endpoint");
  return local;
}

unix_endpoint stream::remote_unix_endpoint(std::error_code& error) const {
  return unix_socket_endpoint(fd_, &::getpeername, error);
}

unix_endpoint stream::remote_unix_endpoint() const {
  std::error_code error;
  unix_endpoint remote = remote_unix_endpoint(error);
  throw_if(error, "remote_unix_endpoint");
  return remote;
}

peer_credentials stream::credentials(std::error_code& error) const {
  // The kernel answers for other sockets too, with nobody.
  if (option_target{fd_}.family() != AF_UNIX) {
    error = fd_ < 0 ? asio::error::bad_descriptor : asio::error::address_family_not_supported;
    return {};
  }
  ucred known{};
  get_option_of(fd_, SOL_SOCKET, SO_PEERCRED, {&known, sizeof known}, error);
  return {known.pid, known.uid, known.gid};
}

peer_credentials stream::credentials() const {
  std::error_code error;
  const peer_credentials known = credentials(error);
  throw_if(error, "credentials");
  return known;
}

}  // namespace umcg::net
