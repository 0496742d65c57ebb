// SPDX-License-Identifier: MIT
#pragma once

// An ordered stream of bytes to one peer, over TCP or a Unix-domain socket. The calls block the
// calling worker only (on a plain thread: the thread). A stream models Asio's SyncReadStream and
// SyncWriteStream and is a lowest layer, so asio::read, asio::read_until, asio::write and the
// synchronous operations of asio::ssl::stream<umcg::net::stream> work on it unchanged.
//
// Thread safety: one reader and one writer at a time may use a stream; the shutdown functions may
// be called by any thread. expires_at(), close(), release() and moving need the stream for
// themselves.

#include <sys/uio.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/buffer.hpp>

#include "umcg/deadline.hpp"
#include "umcg/net/buffer_list.hpp"
#include "umcg/net/endpoint.hpp"
#include "umcg/net/error.hpp"
#include "umcg/net/proxy_protocol.hpp"
#include "umcg/net/unix_endpoint.hpp"
#include "umcg/net/with_options.hpp"

namespace umcg::net {

class stream : public with_options<stream> {
 public:
  // One read_some or write_some uses at most this many non-empty buffers of a sequence and leaves
  // the rest.
  static constexpr std::size_t buffers_max = buffer_list::size_max;

  // Not connected; every operation reports bad_descriptor.
  stream() noexcept = default;
  // Takes over the connected socket `fd`, which is in blocking mode.
  explicit stream(int fd) noexcept;
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
  // Connects to a Unix-domain listener; waits while its queue is full. Errors: timed_out,
  // connection_refused (nobody listens there any more), no_such_file_or_directory, access_denied.
  static stream connect(const unix_endpoint& peer, deadline until = deadline::never());
  static stream connect(const unix_endpoint& peer, deadline until, std::error_code& error);
  // A text would be a path, whatever was meant: see parse_endpoint() and parse_unix_endpoint(), and
  // net::connect() for names.
  template <std::convertible_to<std::string_view> Text, class... Others>
  static stream connect(const Text& peer, Others&&... others) = delete;

  // Two streams connected to each other, over a Unix-domain socket without a name. Errors:
  // no_descriptors.
  static std::pair<stream, stream> pair();
  static std::pair<stream, stream> pair(std::error_code& error);

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
  // many bytes were read. Either may be empty. On an error it is not known how much of `out` left;
  // `written` says whether it was all.
  std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into);
  std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into,
                                   std::error_code& error);
  std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into, bool& written,
                                   std::error_code& error);

  // Writes `count` bytes of the file `file` from `offset` on, or as many as it has. Returns how
  // many left. Reading blocks the worker, not its server, whether the file is cached or not.
  // Errors: as write(); of reading: bad_descriptor, invalid_argument (no regular file),
  // std::errc::io_error.
  std::uint64_t send_file(int file, std::uint64_t offset, std::uint64_t count);
  std::uint64_t send_file(int file, std::uint64_t offset, std::uint64_t count,
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

  // Errors: not_connected (no peer, or no longer), address_family_not_supported (not a TCP socket;
  // of the functions for Unix-domain sockets: not one of these).
  endpoint local_endpoint() const;
  endpoint local_endpoint(std::error_code& error) const;
  // The one that a proxy has announced, if one has (listen_options::proxy).
  endpoint remote_endpoint() const;
  endpoint remote_endpoint(std::error_code& error) const;

  unix_endpoint local_unix_endpoint() const;
  unix_endpoint local_unix_endpoint(std::error_code& error) const;
  unix_endpoint remote_unix_endpoint() const;
  unix_endpoint remote_unix_endpoint(std::error_code& error) const;
  // What a proxy has announced; nothing, if the stream did not come from a listener that expects
  // that. Throws std::bad_alloc.
  std::optional<proxy_header> announced() const;

  // Who was at the other end when the connection was made, as the kernel saw it. Errors:
  // address_family_not_supported.
  peer_credentials credentials() const;
  peer_credentials credentials(std::error_code& error) const;

  // As set_option(option::tcp_no_delay(on)).
  void set_no_delay(bool on);
  void set_no_delay(bool on, std::error_code& error) noexcept;

  bool is_open() const noexcept { return fd_ >= 0; }
  int native_handle() const noexcept { return fd_; }
  // Gives the descriptor up; the caller closes it. What was announced is forgotten.
  int release() noexcept;

  // What Asio's layered streams ask of the one below them. The executor is of one context for all
  // streams, which has no thread and which nobody runs: what is begun with async_ functions never
  // completes. Errors of get_executor(): not_enough_memory, the first time.
  using lowest_layer_type = stream;
  lowest_layer_type& lowest_layer() noexcept { return *this; }
  const lowest_layer_type& lowest_layer() const noexcept { return *this; }
  using executor_type = asio::any_io_executor;
  executor_type get_executor() const;

 private:
  friend class proxy_acceptor;
  void announce(proxy_header header);

  std::size_t read_vector(std::span<const iovec> buffers, std::error_code& error);
  std::size_t write_vector(std::span<const iovec> buffers, std::error_code& error);
  void shutdown(int direction, std::error_code& error) noexcept;

  int fd_ = -1;
  bool announced_ = false;    // by a proxy; what, is kept under the serial
  std::uint64_t serial_ = 0;  // which of all sockets that had this number
  deadline deadline_;
};

}  // namespace umcg::net

#include "umcg/net/stream.ipp"
