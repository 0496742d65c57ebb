// SPDX-License-Identifier: MIT
#pragma once

// Accepts TCP connections at one endpoint.
//
// Thread safety: any number of workers and threads may call accept() at once; stop() may be called by any thread.

#include <string_view>
#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/net/stream.hpp"

namespace umcg::net {

// "127.0.0.1:8080", "[::1]:8080", ":8080" (every IPv4 and IPv6 address). The host is an address, not a name: resolving
// is another call. Port 0 lets the kernel choose. Errors: invalid_argument.
endpoint parse_endpoint(std::string_view text, std::error_code& error);
endpoint parse_endpoint(std::string_view text);
// The same text back: parse_endpoint(to_string(e)) == e.
std::string to_string(const endpoint& where);

struct listen_options {
  int backlog = 4096;         // connections the kernel queues before accept; the kernel caps it at net.core.somaxconn
  bool reuse_port = false;    // SO_REUSEPORT: several listeners share one endpoint and the kernel spreads connections
  bool ipv6_only = false;     // an IPv6 wildcard listener refuses IPv4 peers
};

class listener {
 public:
  listener() noexcept = default;
  listener(listener&& other) noexcept;
  listener& operator=(listener&& other) noexcept;
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  // Binds and listens, with SO_REUSEADDR. Errors: address_in_use, permission_denied, address_not_available, ...
  static listener bind(const endpoint& where, const listen_options& options = {});
  static listener bind(const endpoint& where, const listen_options& options,
                       std::error_code& error);

  // Waits for a connection; it has TCP_NODELAY set. Errors: timed_out, operation_aborted after stop(),
  // too_many_files_open, ... A connection that died in the queue (ECONNABORTED and its kin) is skipped.
  stream accept(deadline until = deadline::never());
  stream accept(deadline until, std::error_code& error);

  // Refuses new connections and ends every accept() in progress with operation_aborted. Safe from any thread.
  void stop() noexcept;

  // Where it listens, with the port that the kernel chose.
  endpoint local_endpoint() const noexcept { return local_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  int native_handle() const noexcept { return fd_; }

 private:
  int fd_ = -1;
  endpoint local_;
};

}  // namespace umcg::net
