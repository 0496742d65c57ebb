// SPDX-License-Identifier: MIT
#pragma once

// Connected sockets, pipes and bytes for the tests of the io layer.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"

namespace umcg::testing {

using base::unique_fd;

struct fd_pair {
  unique_fd here;
  unique_fd there;
};

inline fd_pair unix_pair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {unique_fd(ends[0]), unique_fd(ends[1])};
}

inline fd_pair pipe_pair() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {unique_fd(ends[0]), unique_fd(ends[1])};
}

inline sockaddr* plain(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

struct tcp_listener {
  explicit tcp_listener(int backlog = 128) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd.get(), plain(address), size), 0);
    EXPECT_EQ(::listen(fd.get(), backlog), 0);
    EXPECT_EQ(::getsockname(fd.get(), plain(address), &size), 0);
  }

  // A client's socket, connected; the connection waits to be accepted.
  unique_fd connected() {
    unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), plain(address), sizeof address), 0);
    return client;
  }

  unique_fd fd;
  sockaddr_in address{};
};

inline fd_pair tcp_pair() {
  tcp_listener accepting;
  unique_fd client = accepting.connected();
  unique_fd server(::accept4(accepting.fd.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(server);
  return {std::move(client), std::move(server)};
}

inline void set_buffer_sizes(int fd, int bytes) {
  EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
  EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
}

// Closes the socket so that its peer sees a reset.
inline void reset(unique_fd& fd) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  EXPECT_EQ(::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  fd.reset();
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Bytes of which any two pieces that are lost, doubled or in the wrong order are seen.
inline std::vector<std::byte> numbered_bytes(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at < size; ++at) {
    bytes[at] = static_cast<std::byte>((at * 0x9E3779B97F4A7C15U) >> 56);
  }
  return bytes;
}

// Plain blocking calls of the peer.
inline void put(int fd, std::string_view text) {
  EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

// Up to `size` bytes; fewer: the other side has closed or reset.
inline std::vector<std::byte> take(int fd, std::size_t size) {
  std::vector<std::byte> taken(size);
  std::size_t count = 0;
  while (count < size) {
    const ssize_t more = ::read(fd, taken.data() + count, size - count);
    if (more <= 0) break;
    count += static_cast<std::size_t>(more);
  }
  taken.resize(count);
  return taken;
}

}  // namespace umcg::testing
