// SPDX-License-Identifier: MIT
#pragma once

// An ordered stream of bytes to one peer, encrypted and authenticated by TLS, over any other stream
// of ours (net::stream by default). It blocks as the stream below does: the calling worker only. It
// models Asio's SyncReadStream and SyncWriteStream, so asio::read, asio::read_until and asio::write
// work on it.
//
//   tls::stream peer(net::stream::connect(where));
//   peer.handshake(context, "example.com");
//   asio::write(peer, asio::buffer("GET / HTTP/1.1\r\n..."));
//
// Thread safety: once the handshake is done, one reader and one writer at a time may use a stream;
// write_then_read_some() is both. handshake(), expires_at() and moving need the stream for
// themselves.
//
// OpenSSL keeps its errors in the thread, and a worker is a thread: the queue is empty after each
// call. What others have left there before a call is dropped.

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include "umcg/deadline.hpp"
#include "umcg/net/error.hpp"
#include "umcg/net/stream.hpp"
#include "umcg/tls/context.hpp"
#include "umcg/tls/engine.hpp"
#include "umcg/tls/error.hpp"

namespace umcg::tls {

// What TLS can run over.
template <class Stream>
concept lower_stream = requires(Stream& below, asio::mutable_buffer into, asio::const_buffer out,
                                std::error_code& error, deadline until) {
  { below.read_some(into, error) } -> std::same_as<std::size_t>;
  { below.write_some(out, error) } -> std::same_as<std::size_t>;
  { below.expiry() } -> std::convertible_to<deadline>;
  below.expires_at(until);
};

// How long a handshake may take unless something else is asked for.
constexpr std::chrono::seconds handshake_duration{10};

// `Lower` may be a reference; the stream below then is the caller's.
template <class Lower = net::stream>
requires lower_stream<std::remove_reference_t<Lower>>
class stream {
 public:
  using next_layer_type = std::remove_reference_t<Lower>;

  // Over a connected stream. Until the handshake all other calls report not_connected.
  explicit stream(Lower below) noexcept : below_(static_cast<Lower&&>(below)) {}

  // As the server; as a client of `host`, a name or an address, by which the peer is asked for and,
  // unless the context says otherwise, verified. Once, on a stream. Blocks until the handshake is
  // done, which also the deadline of the stream below ends. Errors: those of the stream below
  // (timed_out, eof as stream_truncated, ...), of openssl_category(), and of
  // verification_category(); the peer is sent an alert where TLS has one. The stream is of no
  // further use then.
  void handshake(const server_context& as, deadline until = deadline::after(handshake_duration)) {
    std::error_code error;
    handshake(as, until, error);
    net::throw_if(error, "TLS handshake");
  }
  void handshake(const server_context& as, deadline until, std::error_code& error) {
    begin(as.new_connection(), until, error);
  }
  void handshake(const client_context& as, std::string_view host,
                 deadline until = deadline::after(handshake_duration)) {
    std::error_code error;
    handshake(as, host, until, error);
    net::throw_if(error, "TLS handshake");
  }
  void handshake(const client_context& as, std::string_view host, deadline until,
                 std::error_code& error) {
    error.clear();
    ssl_st* const connection = as.new_connection(host, error);
    if (!error) begin(connection, until, error);
  }

  // The deadline of every following read and write: that of the stream below.
  void expires_at(deadline until) noexcept { below_.expires_at(until); }
  deadline expiry() const noexcept { return below_.expiry(); }

  // Waits for at least one byte and returns how many were read, all into the first buffer that is
  // not empty. Errors: asio::error::eof once the peer has said that it is done, stream_truncated if
  // it is gone without a word, timed_out, and others of the stream below, after which reading may
  // be tried again; of openssl_category() for bytes that are not what TLS wants. An empty sequence:
  // 0.
  template <net::mutable_buffers Buffers>
  std::size_t read_some(const Buffers& buffers) {
    std::error_code error;
    const std::size_t count = read_some(buffers, error);
    net::throw_if(error, "read_some");
    return count;
  }
  template <net::mutable_buffers Buffers>
  std::size_t read_some(const Buffers& buffers, std::error_code& error) {
    const auto into = first_of<asio::mutable_buffer>(buffers);
    if (!usable(error) || into.size() == 0) return 0;
    adapter below(below_);
    return engine_->read_some(below, into, error);
  }

  // Writes at least one byte and returns how many. Each of the first buffers becomes records of its
  // own; gather small ones before. After an error, timed_out too, nothing can be written any more,
  // since a part of a record may have left: broken_pipe. Reading goes on. An empty sequence: 0.
  template <net::const_buffers Buffers>
  std::size_t write_some(const Buffers& buffers) {
    std::error_code error;
    const std::size_t count = write_some(buffers, error);
    net::throw_if(error, "write_some");
    return count;
  }
  template <net::const_buffers Buffers>
  std::size_t write_some(const Buffers& buffers, std::error_code& error) {
    std::array<iovec, net::stream::buffers_max> list;
    std::size_t used = 0;
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto at = asio::buffer_sequence_begin(buffers); at != end && used < list.size(); ++at) {
      const asio::const_buffer each(*at);
      if (each.size() > 0) list[used++] = {const_cast<void*>(each.data()), each.size()};
    }
    if (!usable(error) || used == 0) return 0;
    adapter below(below_);
    return engine_->write_some(below, {list.data(), used}, error);
  }

  // Writes all of `out`, then reads at least one byte into `into`, in one turn-around of the stream
  // below where that has one. Returns how many bytes were read. Either may be empty. Errors of both
  // as above. As long as all of `out` has left, which it has where only the peer's answer is
  // missing at the deadline, writing goes on after an error.
  std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into) {
    std::error_code error;
    const std::size_t count = write_then_read_some(out, into, error);
    net::throw_if(error, "write_then_read_some");
    return count;
  }
  std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into,
                                   std::error_code& error) {
    if (!usable(error)) return 0;
    adapter below(below_);
    return engine_->write_then_read_some(below, out, into, error);
  }

  // Says that no more bytes will come (close_notify), by which the peer knows that it has got all;
  // reading goes on. The stream below stays open: shut it down after this. Writing is over:
  // broken_pipe. A second call does nothing. Errors as write_some().
  void shutdown_send() {
    std::error_code error;
    shutdown_send(error);
    net::throw_if(error, "shutdown_send");
  }
  void shutdown_send(std::error_code& error) {
    if (!usable(error)) return;
    adapter below(below_);
    engine_->shutdown_send(below, error);
  }

  // What was agreed on, after the handshake; before it they are empty. Texts live as long as the
  // stream.
  std::string_view protocol() const noexcept {  // "TLSv1.3"
    return engine_ ? engine_->protocol() : std::string_view();
  }
  std::string_view cipher() const noexcept {  // "TLS_AES_128_GCM_SHA256"
    return engine_ ? engine_->cipher() : std::string_view();
  }
  std::string_view alpn() const noexcept {  // the application protocol; empty: none
    return engine_ ? engine_->alpn() : std::string_view();
  }
  std::string_view server_name() const noexcept {  // that the client asked for (SNI); may be empty
    return engine_ ? engine_->server_name() : std::string_view();
  }
  // Whether an earlier session was resumed.
  bool resumed() const noexcept { return engine_ && engine_->resumed(); }
  // Of the peer's certificate; empty: it has shown none.
  std::optional<peer_identity> peer() const {
    return engine_ ? engine_->peer() : std::optional<peer_identity>();
  }

  next_layer_type& next_layer() noexcept { return below_; }
  const next_layer_type& next_layer() const noexcept { return below_; }
  // OpenSSL's object, an SSL*; null before the handshake. It must not be read from or written to.
  ssl_st* native_handle() const noexcept { return engine_ ? engine_->native_handle() : nullptr; }

 private:
  class adapter final : public transport {
   public:
    explicit adapter(next_layer_type& below) noexcept : below_(below) {}

    std::size_t read_some(asio::mutable_buffer into, std::error_code& error) override {
      return below_.read_some(into, error);
    }
    void write(asio::const_buffer out, std::error_code& error) override {
      if constexpr (requires { below_.write(out, error); }) {
        below_.write(out, error);
      } else {
        error.clear();
        while (out.size() > 0 && !error) out += below_.write_some(out, error);
      }
    }
    std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into,
                                     bool& written, std::error_code& error) override {
      if constexpr (requires { below_.write_then_read_some(out, into, written, error); }) {
        return below_.write_then_read_some(out, into, written, error);
      } else {
        write(out, error);
        written = !error;
        return error ? 0 : below_.read_some(into, error);
      }
    }
    deadline expiry() const noexcept override { return below_.expiry(); }

   private:
    next_layer_type& below_;
  };

  template <class Buffer, class Buffers>
  static Buffer first_of(const Buffers& buffers) noexcept {
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto at = asio::buffer_sequence_begin(buffers); at != end; ++at) {
      if (Buffer(*at).size() > 0) return Buffer(*at);
    }
    return {};
  }

  bool usable(std::error_code& error) const noexcept {
    error = engine_ ? std::error_code() : asio::error::not_connected;
    return engine_ != nullptr;
  }

  void begin(ssl_st* connection, deadline until, std::error_code& error) {
    auto made = std::make_unique<engine>(connection);
    error = connection == nullptr ? asio::error::no_memory : asio::error::already_connected;
    if (connection == nullptr || engine_) return;
    engine_ = std::move(made);
    adapter below(below_);
    const deadline before = below_.expiry();
    below_.expires_at(std::min(before, until));
    engine_->handshake(below, error);
    below_.expires_at(before);
  }

  Lower below_;
  std::unique_ptr<engine> engine_;
};

}  // namespace umcg::tls
