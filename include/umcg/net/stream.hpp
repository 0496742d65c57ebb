// SPDX-License-Identifier: MIT
#pragma once

// An ordered stream of bytes to one peer over TCP. The calls block the calling worker only (on a plain thread: the
// thread). A stream models Asio's SyncReadStream and SyncWriteStream, so asio::read, asio::read_until and asio::write
// work on it unchanged.
//
// Thread safety: one reader and one writer at a time may use a stream; shutdown() may be called by any thread.

#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <cstddef>
#include <span>
#include <string_view>
#include <sys/uio.h>
#include <system_error>

#include "umcg/deadline.hpp"

namespace umcg::net {

using endpoint = asio::ip::tcp::endpoint;

class stream {
 public:
  // Not connected; every operation reports bad_descriptor.
  stream() noexcept = default;
  // Takes over the connected socket `fd`.
  explicit stream(int fd) noexcept : fd_(fd) {}
  stream(stream&& other) noexcept;
  stream& operator=(stream&& other) noexcept;
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  // Closes. Bytes that the kernel has taken are still delivered.
  ~stream();

  // Connects to `peer`, with TCP_NODELAY set. Errors: timed_out, connection_refused, host_unreachable, ...
  static stream connect(const endpoint& peer, deadline until = deadline::never());
  static stream connect(const endpoint& peer, deadline until, std::error_code& error);

  // The deadlines of every following read and write that is not given one of its own. Never, to begin with.
  void expires_at(deadline until) noexcept { deadline_ = until; }
  deadline expiry() const noexcept { return deadline_; }

  // Waits for at least one byte and returns how many were read. Blocks until there is one, the peer closed its side
  // (asio::error::eof) or the deadline passed (timed_out). On an error nothing was consumed. An empty sequence: 0.
  template <class MutableBufferSequence>
  std::size_t read_some(const MutableBufferSequence& buffers);
  template <class MutableBufferSequence>
  std::size_t read_some(const MutableBufferSequence& buffers, std::error_code& error);

  // Writes at least one byte and returns how many the kernel took. Errors: timed_out, broken_pipe,
  // connection_reset, ... Never raises SIGPIPE. An empty sequence: 0.
  template <class ConstBufferSequence>
  std::size_t write_some(const ConstBufferSequence& buffers);
  template <class ConstBufferSequence>
  std::size_t write_some(const ConstBufferSequence& buffers, std::error_code& error);

  // Writes all of `bytes`. Returns how many left before an error.
  std::size_t write(asio::const_buffer bytes, std::error_code& error);

  // Writes all of `out`, then reads at least one byte into `into`, as write() and read_some() would, in one blocking
  // call: the turn-around of a request and response protocol. `out` may be empty.
  std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into,
                                   std::error_code& error);

  // Half-close: tells the peer that no more bytes will come, reading goes on. Also shutdown_receive(), which ends a
  // read in progress as if the peer had closed; shutdown_both() does both. Any thread may call these.
  void shutdown_send(std::error_code& error) noexcept;
  void shutdown_receive(std::error_code& error) noexcept;
  void shutdown_both(std::error_code& error) noexcept;

  // Closes now; safe to call twice.
  void close() noexcept;

  endpoint local_endpoint(std::error_code& error) const;
  endpoint remote_endpoint(std::error_code& error) const;
  void set_no_delay(bool on, std::error_code& error) noexcept;

  bool is_open() const noexcept { return fd_ >= 0; }
  int native_handle() const noexcept { return fd_; }
  // Gives the descriptor up; the caller closes it.
  int release() noexcept;

 private:
  std::size_t read_vector(std::span<const iovec> buffers, std::error_code& error);
  std::size_t write_vector(std::span<const iovec> buffers, std::error_code& error);

  int fd_ = -1;
  deadline deadline_;
};

}  // namespace umcg::net

#include "umcg/net/stream.ipp"
