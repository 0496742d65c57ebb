// SPDX-License-Identifier: MIT
#pragma once

// Accepts TCP connections at one endpoint.
//
// Thread safety: any number of workers and threads may call accept() at once; stop() may be called
// by any thread. Before a listener is moved or destroyed, stop() it and see every accept() return.

#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/net/endpoint.hpp"
#include "umcg/net/stream.hpp"

namespace umcg::net {

struct listen_options {
  // Connections that the kernel queues before accept(). It takes no more than net.core.somaxconn.
  int backlog = 4096;
  // SO_REUSEPORT: several listeners share one endpoint and the kernel spreads the connections.
  bool reuse_port = false;
  // An IPv6 wildcard listener refuses IPv4 peers. Otherwise it takes them, whatever the system's
  // default is, and they appear under IPv4-mapped addresses.
  bool ipv6_only = false;
};

class listener {
 public:
  // Not open; accept() reports bad_descriptor.
  listener() noexcept = default;
  listener(listener&& other) noexcept;
  listener& operator=(listener&& other) noexcept;
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  // Binds and listens, with SO_REUSEADDR. The IPv6 wildcard becomes the IPv4 one on a machine
  // without IPv6, unless ipv6_only is set. Errors: address_in_use, access_denied,
  // std::errc::address_not_available, ...
  static listener bind(const endpoint& where, const listen_options& options = {});
  static listener bind(const endpoint& where, const listen_options& options,
                       std::error_code& error);

  // Waits for a connection; it has TCP_NODELAY set. A connection that died in the queue
  // (ECONNABORTED and its kin) is skipped. When the deadline has passed, a connection that is there
  // is still accepted. Errors: timed_out, operation_aborted after stop(), no_descriptors (the
  // connection stays in the queue), ...
  stream accept(deadline until = deadline::never());
  stream accept(deadline until, std::error_code& error);

  // Refuses new connections and ends every accept(), in progress or still to come, with
  // operation_aborted. Connections in the queue are reset. Any thread may call it, and more than
  // once.
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
