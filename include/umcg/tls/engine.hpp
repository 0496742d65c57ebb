// SPDX-License-Identifier: MIT
#pragma once

// TLS over any stream: what tls::stream is made of, compiled once. For the library itself.
//
// OpenSSL never waits in here. It reads from bytes that have arrived and writes into bytes that are
// to leave; when it wants more, the engine waits in the stream below. So the calls into OpenSSL are
// short and a mutex around them makes one reader and one writer at a time possible, a deadline that
// passes finds OpenSSL between two calls, and a connection that waits for its peer owns none of
// OpenSSL's buffers, which have 17 KiB each: with a BIO that blocks, each idle connection would
// wait with one in hand.

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <asio/buffer.hpp>

#include "umcg/deadline.hpp"
#include "umcg/sync/condition_variable.hpp"
#include "umcg/sync/mutex.hpp"
#include "umcg/tls/context.hpp"
#include "umcg/tls/peer_identity.hpp"

struct ssl_st;  // of OpenSSL
struct bio_st;

namespace umcg::tls {

// The stream below.
class transport {
 public:
  // As net::stream: at least one byte, or an error.
  virtual std::size_t read_some(asio::mutable_buffer into, std::error_code& error) = 0;
  // All of `out`, or an error.
  virtual void write(asio::const_buffer out, std::error_code& error) = 0;
  // write(), then read_some(). `written`: all of `out` has left, whatever came of reading.
  virtual std::size_t write_then_read_some(asio::const_buffer out, asio::mutable_buffer into,
                                           bool& written, std::error_code& error) = 0;
  // When the three give up.
  virtual deadline expiry() const noexcept = 0;

 protected:
  ~transport() = default;
};

class engine {
 public:
  // Takes over `connection`.
  explicit engine(ssl_st* connection) noexcept;
  ~engine();
  engine(const engine&) = delete;
  engine& operator=(const engine&) = delete;

  // tls::stream says what these promise. `below` is the same stream each time.
  void handshake(transport& below, std::error_code& error);
  std::size_t read_some(transport& below, asio::mutable_buffer into, std::error_code& error);
  std::size_t write_some(transport& below, std::span<const iovec> buffers, std::error_code& error);
  std::size_t write_then_read_some(transport& below, asio::const_buffer out,
                                   asio::mutable_buffer into, std::error_code& error);
  void shutdown_send(transport& below, std::error_code& error);

  std::string_view protocol() const noexcept;
  std::string_view cipher() const noexcept;
  std::string_view alpn() const noexcept;
  std::string_view server_name() const noexcept;
  bool resumed() const noexcept;
  std::optional<peer_identity> peer() const;
  ssl_st* native_handle() const noexcept { return connection_; }

  // Called by OpenSSL, with the mutex locked: see engine_bio.cpp. Bytes, or -1: come again (read),
  // no memory (write).
  int take_arrived(std::span<char> into) noexcept;
  int gather(std::span<const char> bytes) noexcept;

 private:
  class arrivals;
  using guard = std::unique_lock<sync::mutex>;
  enum class outcome { done, wants_input, ended };

  guard locked() noexcept;
  bool attach() noexcept;
  bool has_input() const noexcept;
  bool only_tickets_wait() const noexcept;
  outcome after(int result, std::error_code& error) noexcept;
  outcome decrypt(asio::mutable_buffer into, std::size_t& count, std::error_code& error) noexcept;
  bool encrypt(asio::const_buffer bytes, std::error_code& error) noexcept;
  void keep_arrived(std::error_code& error) noexcept;
  void receive(transport& below, guard& lock, arrivals& into, std::error_code& error);
  void send_then_receive(transport& below, guard& lock, arrivals& into, std::error_code& error);
  void arrived(std::size_t count, arrivals& at, std::error_code& error) noexcept;
  void send_gathered(transport& below, guard& lock, std::error_code& error);
  void wait_for_sender(transport& below, guard& lock, std::error_code& error);
  void begin_sending() noexcept;
  void end_sending(bool written) noexcept;
  void tell_failure(transport& below, guard& lock);
  bool can_write(transport& below, guard& lock, std::error_code& error);

  mutable sync::mutex mutex_;
  sync::condition_variable sent_;
  // All guarded by the mutex, but `leaving_`, which is whose `sending_` it is, and `arrived_`'s
  // bytes, which are the reader's.
  ssl_st* connection_;
  bool shaken_ = false;   // the handshake is done
  bool sending_ = false;  // somebody writes `leaving_` to the stream below
  std::span<const char> arrived_;
  std::string kept_;     // what OpenSSL had no room for; `arrived_` is in here then
  std::string out_;      // encrypted, to be sent
  std::string leaving_;  // being sent
  std::unique_ptr<char[]> bulk_;
  std::error_code failed_;        // for good: every later call reports it
  std::error_code write_failed_;  // bytes of a record may be missing: nothing can follow
};

}  // namespace umcg::tls
