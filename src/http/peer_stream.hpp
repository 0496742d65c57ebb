// SPDX-License-Identifier: MIT
#pragma once

// A connection's stream of bytes: the socket's own, or with TLS on top. One test of a pointer tells
// them apart.

#include <cstddef>
#include <optional>
#include <system_error>
#include <utility>

#include <asio/buffer.hpp>

#include "umcg/deadline.hpp"
#include "umcg/net/stream.hpp"
#include "umcg/tls/stream.hpp"

namespace umcg::http {

class peer_stream {
 public:
  explicit peer_stream(net::stream socket) noexcept : socket_(std::move(socket)) {}
  peer_stream(const peer_stream&) = delete;
  peer_stream& operator=(const peer_stream&) = delete;

  // Puts TLS on top, as the server. Errors as tls::stream::handshake().
  void secure(const tls::server_context& as, deadline until, std::error_code& error) {
    secured_.emplace(socket_).handshake(as, until, error);
  }

  // These as net::stream and tls::stream have them.
  void expires_at(deadline until) noexcept { socket_.expires_at(until); }
  template <net::const_buffers Buffers>
  std::size_t write_some(const Buffers& from, std::error_code& error) {
    return secured_ ? secured_->write_some(from, error) : socket_.write_some(from, error);
  }
  std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into,
                                   std::error_code& error) {
    return secured_ ? secured_->write_then_read_some(out, into, error)
                    : socket_.write_then_read_some(out, into, error);
  }

  // Says that no more will come, in whatever ways there are, with what waits to be sent.
  void shutdown_send(std::error_code& error) {
    say_goodbye();
    socket_.shutdown_send(error);
  }
  // Before the socket is closed: a TLS peer wants to know that it has got all.
  void say_goodbye() {
    std::error_code ignored;
    if (secured_) secured_->shutdown_send(ignored);
  }

  net::stream& socket() noexcept { return socket_; }
  const net::stream& socket() const noexcept { return socket_; }
  // Null: no TLS.
  const tls::stream<net::stream&>* secured() const noexcept {
    return secured_ ? &*secured_ : nullptr;
  }

 private:
  net::stream socket_;
  std::optional<tls::stream<net::stream&>> secured_;
};

}  // namespace umcg::http
