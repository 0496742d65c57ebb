// SPDX-License-Identifier: MIT
#pragma once

// An ordered stream of bytes to one peer over TCP. The calls block the calling worker only (on a
// plain thread: the thread). A stream models Asio's SyncReadStream and SyncWriteStream, so
// asio::read, asio::read_until and asio::write work on it unchanged.
//
// Thread safety: one reader and one writer at a time may use a stream; the shutdown functions may
// be called by any thread. expires_at(), close(), release() and moving need the stream for
// themselves.

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <system_error>

#include <asio/buffer.hpp>

#include "umcg/deadline.hpp"
#include "umcg/net/endpoint.hpp"
#include "umcg/net/error.hpp"

namespace umcg::net {

// Asio's buffer sequences, of which one buffer is the simplest.
template <class Buffers>
concept mutable_buffers = asio::is_mutable_buffer_sequence<Buffers>::value;
template <class Buffers>
concept const_buffers = asio::is_const_buffer_sequence<Buffers>::value;

class stream {
 public:
  // One read_some or write_some uses at most this many non-empty buffers of a sequence and leaves
  // the rest.
  static constexpr std::size_t buffers_max = 16;

  // Not connected; every operation reports bad_descriptor.
  stream() noexcept = default;
  // Takes over the connected socket `fd`, which is in blocking mode.
  explicit stream(int fd) noexcept : fd_(fd) {}
  stream(stream&& other) noexcept;
  stream& operator=(stream&& other) noexcept;
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  // Closes. Bytes that the kernel has taken are still delivered, unless there are received ones
  // that nobody has read: then the peer sees a reset. Half-close and read to the end where that
  // matters.
  ~stream();

  // Connects to `peer`, with TCP_NODELAY set. Errors: timed_out, connection_refused,
  // host_unreachable, ...
  static stream connect(const endpoint& peer, deadline until = deadline::never());
  static stream connect(const endpoint& peer, deadline until, std::error_code& error);

  // The deadline of every following read and write. Never, to begin with. When it has passed, an
  // operation still succeeds if it need not wait: it tries once.
  void expires_at(deadline until) noexcept { deadline_ = until; }
  deadline expiry() const noexcept { return deadline_; }

  // Waits for at least one byte and returns how many were read. Blocks until there is one, the peer
  // closed its side (asio::error::eof) or the deadline passed (timed_out). On an error nothing was
  // consumed. An empty sequence: 0.
  template <mutable_buffers Buffers>
  std::size_t read_some(const Buffers& buffers);
  template <mutable_buffers Buffers>
  std::size_t read_some(const Buffers& buffers, std::error_code& error);

  // Writes at least one byte and returns how many the kernel took. Errors: timed_out, broken_pipe,
  // connection_reset, ... Never raises SIGPIPE. An empty sequence: 0.
  template <const_buffers Buffers>
  std::size_t write_some(const Buffers& buffers);
  template <const_buffers Buffers>
  std::size_t write_some(const Buffers& buffers, std::error_code& error);

  // Writes all of `bytes`. Returns how many left before an error. Errors as write_some.
  std::size_t write(asio::const_buffer bytes);
  std::size_t write(asio::const_buffer bytes, std::error_code& error);

  // Writes all of `out`, then reads at least one byte into `into`, as write() and read_some()
  // would, in one blocking call: the turn-around of a request and response protocol. Returns how
  // many bytes were read. Either may be empty. On an error it is not known how much of `out` left.
  std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into);
  std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into,
                                   std::error_code& error);

  // Half-close: tells the peer that no more bytes will come; reading goes on. Errors:
  // not_connected.
  void shutdown_send();
  void shutdown_send(std::error_code& error) noexcept;
  // Ends a read in progress and each later one as if the peer had closed its side, after the bytes
  // that have arrived. The peer is told nothing.
  void shutdown_receive();
  void shutdown_receive(std::error_code& error) noexcept;
  void shutdown_both();
  void shutdown_both(std::error_code& error) noexcept;

  // Closes now; safe to call twice.
  void close() noexcept;

  // Errors: not_connected (no peer, or no longer), address_family_not_supported (not a TCP socket).
  endpoint local_endpoint() const;
  endpoint local_endpoint(std::error_code& error) const;
  endpoint remote_endpoint() const;
  endpoint remote_endpoint(std::error_code& error) const;

  void set_no_delay(bool on);
  void set_no_delay(bool on, std::error_code& error) noexcept;

  bool is_open() const noexcept { return fd_ >= 0; }
  int native_handle() const noexcept { return fd_; }
  // Gives the descriptor up; the caller closes it.
  int release() noexcept;

 private:
  class buffer_list;

  std::size_t read_vector(std::span<const iovec> buffers, std::error_code& error);
  std::size_t write_vector(std::span<const iovec> buffers, std::error_code& error);
  void shutdown(int direction, std::error_code& error) noexcept;

  int fd_ = -1;
  deadline deadline_;
};

}  // namespace umcg::net

#include "umcg/net/stream.ipp"
