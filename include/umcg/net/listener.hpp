// SPDX-License-Identifier: MIT
#pragma once

// Accepts connections at one endpoint, over TCP or Unix-domain sockets.
//
// Thread safety: any number of workers and threads may call accept() at once; stop() may be called
// by any thread. Before a listener is moved or destroyed, stop() it and see every accept() return.

#include <sys/types.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/net/endpoint.hpp"
#include "umcg/net/proxy_protocol.hpp"
#include "umcg/net/stream.hpp"
#include "umcg/net/unix_endpoint.hpp"
#include "umcg/net/with_options.hpp"

namespace umcg::net {

struct listen_options {
  // Connections that the kernel queues before accept(). It takes no more than net.core.somaxconn.
  int backlog = 4096;
  // SO_REUSEPORT: several listeners share one endpoint and the kernel spreads the connections.
  bool reuse_port = false;
  // An IPv6 wildcard listener refuses IPv4 peers. Otherwise it takes them, whatever the system's
  // default is, and they appear under IPv4-mapped addresses.
  bool ipv6_only = false;
  // SO_RCVBUF of the listener, which its connections inherit: their windows are scaled to it. 0:
  // the system's, which grows as needed.
  int receive_buffer_size_bytes = 0;
  // IP_FREEBIND: the address need not exist yet.
  bool free_bind = false;
  // Connections begin with a header of the PROXY protocol, and accept() returns those whose header
  // has come: their remote_endpoint() is the announced one. A connection with another beginning, or
  // none in time, is closed.
  std::optional<proxy_protocol> proxy = {};
};

struct unix_listen_options {
  int backlog = 4096;  // as in listen_options
  // The permissions of the socket's file, 0660 for one: who may write to it may connect. Those that
  // umask(2) leaves, without. No meaning for abstract names.
  std::optional<mode_t> permissions = {};
  // A file at which nobody listens any more is replaced.
  bool replace_stale = true;
  std::optional<proxy_protocol> proxy = {};  // as in listen_options; every peer is trusted
};

class proxy_acceptor;

class listener : public with_options<listener> {
 public:
  // Not open; accept() reports bad_descriptor.
  listener() noexcept;
  listener(listener&& other) noexcept;
  listener& operator=(listener&& other) noexcept;
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  // Binds and listens, with SO_REUSEADDR. The IPv6 wildcard becomes the IPv4 one on a machine
  // without IPv6, unless ipv6_only is set. Errors: address_in_use, access_denied,
  // std::errc::address_not_available, invalid_argument (a proxy protocol that trusts nobody), ...
  static listener bind(const endpoint& where, const listen_options& options = {});
  static listener bind(const endpoint& where, const listen_options& options,
                       std::error_code& error);

  // The same at a path, whose file goes with the listener, or at an abstract name, for
  // SOCK_STREAM sockets. Touches the file system. Errors: address_in_use (somebody listens there,
  // or it is no socket), no_such_file_or_directory, access_denied, ...
  static listener bind(const unix_endpoint& where, const unix_listen_options& options = {});
  static listener bind(const unix_endpoint& where, const unix_listen_options& options,
                       std::error_code& error);
  // A text would be a path, whatever was meant: see parse_endpoint() and parse_unix_endpoint().
  template <std::convertible_to<std::string_view> Text, class... Others>
  static listener bind(const Text& where, Others&&... others) = delete;

  // Waits for a connection; over TCP it has TCP_NODELAY set. A connection that died in the queue
  // (ECONNABORTED and its kin) is skipped. When the deadline has passed, a connection that is there
  // is still accepted. Errors: timed_out, operation_aborted after stop(), no_descriptors (the
  // connection stays in the queue), ...
  stream accept(deadline until = deadline::never());
  stream accept(deadline until, std::error_code& error);

  // Refuses new connections and ends every accept(), in progress or still to come, with
  // operation_aborted. Connections in the queue are reset, over Unix-domain sockets when the
  // listener is destroyed. Any thread may call it, and more than once.
  void stop() noexcept;

  // Where it listens, with the port that the kernel chose; nowhere, if at a Unix-domain endpoint.
  endpoint local_endpoint() const noexcept { return local_; }
  // Errors: address_family_not_supported (it listens at a port).
  unix_endpoint local_unix_endpoint() const;
  unix_endpoint local_unix_endpoint(std::error_code& error) const;
  bool is_open() const noexcept { return fd_ >= 0; }
  int native_handle() const noexcept { return fd_; }

 private:
  // The file of a Unix-domain socket, which others may have replaced meanwhile.
  struct socket_file {
    dev_t device = 0;
    ino_t number = 0;  // 0: none
  };
  stream accept_any(deadline until, std::error_code& error);
  void expect_headers(const std::optional<proxy_protocol>& of, std::error_code& error);
  void close() noexcept;
  void remove_file() const noexcept;

  int fd_ = -1;
  std::uint64_t serial_ = 0;  // which of all sockets that had this number
  endpoint local_;
  socket_file file_;
  std::unique_ptr<proxy_acceptor> proxies_;  // null: connections have no header
};

}  // namespace umcg::net
