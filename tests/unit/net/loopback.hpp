// SPDX-License-Identifier: MIT
#pragma once

// What the tests of the net layer share: connected streams over loopback, a limit for what should
// not take long, and bytes whose order can be checked.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "umcg/net/listener.hpp"

namespace umcg::net::loopback {

// Long enough for the slowest machine; a test that gets here fails instead of hanging.
inline deadline patience() { return deadline::after(std::chrono::seconds(20)); }

// Short enough to wait for, for what must not happen.
inline deadline soon() { return deadline::after(std::chrono::milliseconds(30)); }

inline deadline long_ago() { return deadline::after(std::chrono::seconds(-1)); }

// Why this machine cannot use `family` on loopback; empty if it can.
inline std::string missing_family(const endpoint& where) {
  std::error_code error;
  const listener probe = listener::bind(where, {}, error);
  return error ? to_string(where) + " cannot be used here: " + error.message() : "";
}

struct stream_pair {
  stream client;
  stream server;
};

inline stream_pair connected_pair(const char* where = "127.0.0.1:0") {
  listener accepting = listener::bind(parse_endpoint(where));
  stream client = stream::connect(accepting.local_endpoint(), patience());
  stream server = accepting.accept(patience());
  client.expires_at(patience());
  server.expires_at(patience());
  return {std::move(client), std::move(server)};
}

// Closing this stream now sends a reset.
inline void reset_on_close(const stream& peer) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(peer.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

inline bool has_flag(int fd, int get, int flag) { return (::fcntl(fd, get) & flag) != 0; }

// Bytes of which any two pieces in the wrong order, lost or doubled are seen.
inline std::vector<std::byte> numbered_bytes(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t at = 0; at < size; ++at) {
    const std::size_t mixed = at * 0x9E3779B97F4A7C15u;
    bytes[at] = static_cast<std::byte>(mixed >> 56);
  }
  return bytes;
}

// Whether the kernel thread `id` sleeps in a system call: state S in its stat file.
inline bool asleep(int id) {
  std::ifstream file("/proc/self/task/" + std::to_string(id) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  return name_end != std::string::npos && line.compare(name_end, 3, ") S") == 0;
}

inline void wait_until_asleep(int id) {
  for (const deadline limit = patience(); !limit.passed();) {
    if (asleep(id)) return;
    std::this_thread::yield();
  }
  throw std::runtime_error("the thread did not go to sleep");
}

}  // namespace umcg::net::loopback
