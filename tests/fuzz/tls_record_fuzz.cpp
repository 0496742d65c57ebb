// SPDX-License-Identifier: MIT

// A peer whose bytes are changed on their way, or that says anything at all, against both sides of
// tls::stream: no crash, nothing is received but what was sent, what is answered are whole records,
// errors are for good, and OpenSSL's queue of errors is left empty.
//
// The input: one byte of choices, see below; then either all that the peer says, or changes of what
// an honest one says, three bytes each: how far from the last change, two bytes, and what is xored
// there; 0 ends the stream there.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "umcg/deadline.hpp"
#include "umcg/tls/stream.hpp"
#include "unit/tls/authority.hpp"

namespace {

using namespace umcg;

constexpr std::uint8_t attacks_client = 1, old_version = 2, says_anything = 4;
constexpr std::string_view host = "server.example";
constexpr std::string_view message = "what an honest peer says";
constexpr int rounds_max = 20;

void require(bool holds) {
  if (!holds) std::abort();
}

struct both_sides {
  tls::server_context server;
  tls::client_context client;
};

const both_sides& sides(bool old) {
  static const tls::testing::authority issuer("issuer");
  static const auto files =
      issuer.issue("server", {.common_name = "a", .alternatives = "DNS:server.example"});
  const auto load = [](tls::version newest) {
    return both_sides{tls::server_context::load({.certificates = {files}, .version_max = newest}),
                      tls::client_context::load({.ca = issuer.path(), .version_max = newest})};
  };
  static const both_sides of_1_2 = load(tls::version::tls_1_2);
  static const both_sides of_1_3 = load(tls::version::tls_1_3);
  return old ? of_1_2 : of_1_3;
}

// The stream below, with the peer at its other end.
class attacked_stream {
 public:
  // `peer` is null: `said` is all that it says.
  attacked_stream(SSL* peer, std::string_view said, std::size_t piece)
      : peer_(peer), changes_(peer ? said : std::string_view()), piece_(piece) {
    if (!peer) {
      arriving_ = said;
      return;
    }
    SSL_set_bio(peer, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    next_change();
  }
  ~attacked_stream() { SSL_free(peer_); }
  attacked_stream(const attacked_stream&) = delete;
  attacked_stream& operator=(const attacked_stream&) = delete;

  std::size_t read_some(asio::mutable_buffer into, std::error_code& error) {
    if (arriving_.empty()) let_peer_go_on();
    const std::size_t count = std::min({into.size(), piece_, arriving_.size()});
    error = count == 0 ? asio::error::eof : std::error_code();
    std::memcpy(into.data(), arriving_.data(), count);
    arriving_.erase(0, count);
    return count;
  }
  std::size_t write_some(asio::const_buffer from, std::error_code& error) {
    error.clear();
    answered_.append(static_cast<const char*>(from.data()), from.size());
    if (peer_) BIO_write(SSL_get_rbio(peer_), from.data(), static_cast<int>(from.size()));
    return from.size();
  }
  void expires_at(deadline) noexcept {}
  deadline expiry() const noexcept { return {}; }

  const std::string& answered() const noexcept { return answered_; }

 private:
  void let_peer_go_on() {
    if (!peer_ || cut_) return;
    if (SSL_do_handshake(peer_) == 1) {
      if (!spoken_) SSL_write(peer_, message.data(), static_cast<int>(message.size()));
      spoken_ = true;
      char heard[64];
      while (SSL_read(peer_, heard, sizeof heard) > 0) continue;
    }
    ERR_clear_error();
    char said[4096];
    for (int count; (count = BIO_read(SSL_get_wbio(peer_), said, sizeof said)) > 0;) {
      arriving_.append(said, static_cast<std::size_t>(count));
    }
    change_arriving();
  }

  void change_arriving() {
    while (has_change_ && change_at_ < passed_ + arriving_.size()) {
      const std::size_t at = change_at_ - passed_;
      if (change_ == 0) {
        cut_ = true;
        arriving_.resize(at);
        break;
      }
      arriving_[at] = static_cast<char>(arriving_[at] ^ change_);
      next_change();
    }
    passed_ += arriving_.size();
  }

  void next_change() {
    has_change_ = changes_.size() >= 3;
    if (!has_change_) return;
    const auto byte = [this](std::size_t at) { return static_cast<unsigned char>(changes_[at]); };
    change_at_ += byte(0) * 256U + byte(1);
    change_ = byte(2);
    changes_.remove_prefix(3);
  }

  SSL* const peer_;
  std::string_view changes_;
  const std::size_t piece_;
  std::string arriving_;
  std::string answered_;
  bool spoken_ = false;
  bool cut_ = false;
  std::size_t passed_ = 0;  // bytes that have been looked at for changes
  std::size_t change_at_ = 0;
  unsigned char change_ = 0;
  bool has_change_ = false;
};

void check_records(std::string_view answered) {
  constexpr std::size_t header_bytes = 5, length_max = 16 * 1024 + 256;
  while (!answered.empty()) {
    require(answered.size() >= header_bytes);
    require(answered[0] >= 20 && answered[0] <= 23 && answered[1] == 3);
    const auto high = static_cast<unsigned char>(answered[3]);
    const auto low = static_cast<unsigned char>(answered[4]);
    const std::size_t length = high * 256U + low;
    require(length <= length_max && answered.size() >= header_bytes + length);
    answered.remove_prefix(header_bytes + length);
  }
}

// What arrives until there is an error.
std::string receive(tls::stream<attacked_stream&>& from, std::error_code& error) {
  std::string received;
  for (int round = 0; round < rounds_max && !error; ++round) {
    char bytes[16];
    const std::size_t count =
        from.write_then_read_some(asio::buffer("pong", 4), asio::buffer(bytes), error);
    require(ERR_peek_error() == 0);
    received.append(bytes, count);
  }
  return received;
}

void converse(attacked_stream& below, const both_sides& of, bool as_client, bool is_changed) {
  tls::stream<attacked_stream&> attacked(below);
  std::error_code error;
  if (as_client) {
    attacked.handshake(of.client, host, deadline::never(), error);
  } else {
    attacked.handshake(of.server, deadline::never(), error);
  }
  require(ERR_peek_error() == 0);
  require(is_changed || !error);
  if (!error) {
    const std::string received = receive(attacked, error);
    require(message.starts_with(received));
    require(is_changed || received == message);
  }
  if (error.category() != tls::openssl_category()) return;
  char letter = 0;
  std::error_code again;
  require(attacked.read_some(asio::buffer(&letter, 1), again) == 0 && again == error);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const bool as_client = (data[0] & attacks_client) != 0;
  const both_sides& of = sides((data[0] & old_version) != 0);
  const bool honest = (data[0] & says_anything) == 0;
  const std::size_t piece = 1 + 64 * std::size_t(data[0] / 8U);
  const std::string_view said(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::error_code error;
  SSL* peer = nullptr;
  if (honest) {
    peer = as_client ? of.server.new_connection() : of.client.new_connection(host, error);
  }
  attacked_stream below(peer, said, piece);
  converse(below, of, as_client, !honest || said.size() >= 3);
  check_records(below.answered());
  return 0;
}
