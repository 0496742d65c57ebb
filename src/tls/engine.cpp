// SPDX-License-Identifier: MIT

#include "umcg/tls/engine.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include <asio/error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/engine_bio.hpp"
#include "tls/identity_of.hpp"
#include "tls/openssl_error.hpp"
#include "umcg/cancellation.hpp"
#include "umcg/tls/error.hpp"

namespace umcg::tls {
namespace {

constexpr std::size_t record_bytes_max = 16 * 1024;
// Of plaintext, that one write takes: several records leave in one write of the stream below.
constexpr std::size_t written_at_once_max = 4 * record_bytes_max;
// What an idle connection keeps for encrypted bytes.
constexpr std::size_t kept_capacity_max = 1024;

constexpr std::size_t bulk_bytes = record_bytes_max + 256;

void empty(std::string& text) noexcept {
  text.clear();
  if (text.capacity() > kept_capacity_max) std::string().swap(text);
}

}  // namespace

// Room for what arrives, on the reader's stack: as little as a usual request needs. While more
// arrives than that, the engine has a larger one in the heap.
class engine::arrivals {
 public:
  asio::mutable_buffer room(std::unique_ptr<char[]>& bulk) noexcept {
    at_ = filled_ ? more(bulk) : small_;
    if (at_ == small_) bulk.reset();
    return {at_, at_ == small_ ? sizeof small_ : bulk_bytes};
  }
  std::span<const char> took(std::size_t count) noexcept {
    filled_ = count == (at_ == small_ ? sizeof small_ : bulk_bytes);
    return {at_, count};
  }

 private:
  char* more(std::unique_ptr<char[]>& bulk) noexcept {
    if (!bulk) bulk.reset(new (std::nothrow) char[bulk_bytes]);
    return bulk ? bulk.get() : small_;
  }

  char* at_ = nullptr;
  bool filled_ = false;
  char small_[2048];
};

engine::engine(ssl_st* connection) noexcept : connection_(connection) {}

// OpenSSL would forget the session of a connection that has not said goodbye, which since TLS 1.1
// it need not (RFC 4346 7.2.1).
engine::~engine() {
  if (shaken_ && !failed_) SSL_set_shutdown(connection_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(connection_);
  drop_openssl_errors();
}

// The lock is held for as long as OpenSSL computes; no scope may end that in the middle.
engine::guard engine::locked() noexcept {
  const scope_shield shield;
  return guard(mutex_);
}

bool engine::attach() noexcept {
  if (SSL_get_rbio(connection_)) return true;
  BIO* const bio = make_bio(*this);
  if (bio) SSL_set_bio(connection_, bio, bio);
  return bio != nullptr;
}

int engine::take_arrived(std::span<char> into) noexcept {
  if (arrived_.empty()) return -1;
  const std::size_t count = std::min(into.size(), arrived_.size());
  std::memcpy(into.data(), arrived_.data(), count);
  arrived_ = arrived_.subspan(count);
  return static_cast<int>(count);
}

int engine::gather(std::span<const char> bytes) noexcept {
  try {
    out_.append(bytes.data(), bytes.size());
    return static_cast<int>(bytes.size());
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

// Whether OpenSSL may have something without another look at the stream below.
bool engine::has_input() const noexcept {
  return !arrived_.empty() || SSL_has_pending(connection_) == 1 ||
         (SSL_get_shutdown(connection_) & SSL_RECEIVED_SHUTDOWN) != 0;
}

// What a call into OpenSSL, which returned `result`, has come to.
engine::outcome engine::after(int result, std::error_code& error) noexcept {
  if (result > 0) return outcome::done;
  switch (SSL_get_error(connection_, result)) {
    case SSL_ERROR_WANT_READ:
      return outcome::wants_input;
    case SSL_ERROR_ZERO_RETURN:
      error = asio::error::eof;
      return outcome::ended;
    default:
      break;
  }
  failed_ = take_openssl_error();
  const long verdict = SSL_get_verify_result(connection_);
  const auto code = static_cast<unsigned>(failed_.value());
  if (failed_.category() == openssl_category() && verdict != X509_V_OK &&
      ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    failed_.assign(static_cast<int>(verdict), verification_category());
  }
  error = failed_;
  return outcome::ended;
}

void engine::handshake(transport& below, std::error_code& error) {
  arrivals room;
  guard lock = locked();
  error = failed_;
  if (!error && !attach()) error = asio::error::no_memory;
  while (!error) {
    drop_openssl_errors();
    switch (after(SSL_do_handshake(connection_), error)) {
      case outcome::done:
        shaken_ = true;
        keep_arrived(error);
        if (!error && !only_tickets_wait()) send_gathered(below, lock, error);
        return;
      case outcome::wants_input:
        send_then_receive(below, lock, room, error);
        break;
      case outcome::ended:
        tell_failure(below, lock);
        break;
    }
  }
  if (!failed_) failed_ = error;
}

// Session tickets, which nobody waits for, leave with what is sent next or when we wait for input.
bool engine::only_tickets_wait() const noexcept {
  return SSL_is_server(connection_) == 1 && SSL_version(connection_) == TLS1_3_VERSION;
}

// Sends the alert that OpenSSL has written, if it has, as far as that is possible.
void engine::tell_failure(transport& below, guard& lock) {
  std::error_code ignored;
  send_gathered(below, lock, ignored);
}

// OpenSSL may have had no room for all that has arrived, and the room on the stack is going.
void engine::keep_arrived(std::error_code& error) noexcept {
  try {
    std::string left(arrived_.data(), arrived_.size());
    kept_.swap(left);
  } catch (const std::bad_alloc&) {
    kept_.clear();
    if (!error) error = failed_ = asio::error::no_memory;
  }
  arrived_ = kept_;
}

engine::outcome engine::decrypt(asio::mutable_buffer into, std::size_t& count,
                                std::error_code& error) noexcept {
  drop_openssl_errors();
  const outcome result = after(SSL_read_ex(connection_, into.data(), into.size(), &count), error);
  if (!arrived_.empty() || !kept_.empty()) keep_arrived(error);
  return error ? outcome::ended : result;
}

std::size_t engine::read_some(transport& below, asio::mutable_buffer into, std::error_code& error) {
  arrivals room;
  guard lock = locked();
  error = failed_;
  if (!error && !shaken_) error = asio::error::not_connected;
  std::size_t count = 0;
  while (!error) {
    const outcome result = has_input() ? decrypt(into, count, error) : outcome::wants_input;
    // What OpenSSL has to say meanwhile, such as that it has changed its key or found an error.
    if (!out_.empty() && !sending_) tell_failure(below, lock);
    if (result == outcome::done) return count;
    if (result == outcome::wants_input) receive(below, lock, room, error);
  }
  return 0;
}

void engine::receive(transport& below, guard& lock, arrivals& into, std::error_code& error) {
  const asio::mutable_buffer room = into.room(bulk_);
  lock.unlock();
  const std::size_t count = below.read_some(room, error);
  lock = locked();
  arrived(count, into, error);
}

void engine::arrived(std::size_t count, arrivals& at, std::error_code& error) noexcept {
  if (error == asio::error::eof) error = errc::stream_truncated;
  arrived_ = at.took(error ? 0 : count);
}

// The same with what is to be sent before.
void engine::send_then_receive(transport& below, guard& lock, arrivals& into,
                               std::error_code& error) {
  if (out_.empty()) return receive(below, lock, into, error);
  const asio::mutable_buffer room = into.room(bulk_);
  begin_sending();
  lock.unlock();
  bool written = false;
  const std::size_t count =
      below.write_then_read_some(asio::buffer(leaving_), room, written, error);
  lock = locked();
  end_sending(written);
  arrived(count, into, error);
}

void engine::begin_sending() noexcept {
  sending_ = true;
  leaving_.swap(out_);
}

void engine::end_sending(bool written) noexcept {
  sending_ = false;
  empty(leaving_);
  if (!written) write_failed_ = asio::error::broken_pipe;
  sent_.notify_all();
}

// Only one of the reader and the writer sends at a time, and takes along what the other has
// gathered meanwhile.
void engine::send_gathered(transport& below, guard& lock, std::error_code& error) {
  while (!out_.empty() && !error) {
    wait_for_sender(below, lock, error);
    if (write_failed_) empty(out_);
    if (error || out_.empty()) return;
    begin_sending();
    lock.unlock();
    below.write(asio::buffer(leaving_), error);
    lock = locked();
    end_sending(!error);
  }
}

void engine::wait_for_sender(transport& below, guard& lock, std::error_code& error) {
  const deadline until = below.expiry();
  try {
    if (!sent_.wait_until(lock, until, [this] { return !sending_; })) {
      error = asio::error::timed_out;
    }
  } catch (const std::system_error& ended) {  // by a scope
    error = ended.code();
  }
}

bool engine::can_write(transport& below, guard& lock, std::error_code& error) {
  error = failed_;
  if (!error && !shaken_) error = asio::error::not_connected;
  if (!error) wait_for_sender(below, lock, error);
  if (!error) error = write_failed_;
  return !error;
}

// All of `bytes` becomes records in out_.
bool engine::encrypt(asio::const_buffer bytes, std::error_code& error) noexcept {
  while (bytes.size() > 0) {
    std::size_t count = 0;
    drop_openssl_errors();
    const int result = SSL_write_ex(connection_, bytes.data(), bytes.size(), &count);
    if (after(result, error) != outcome::done) {
      if (!error) error = failed_ = asio::error::no_memory;
      return false;
    }
    bytes += count;
  }
  return true;
}

std::size_t engine::write_some(transport& below, std::span<const iovec> buffers,
                               std::error_code& error) {
  guard lock = locked();
  if (!can_write(below, lock, error)) return 0;
  std::size_t count = 0;
  for (const iovec& each : buffers) {
    const std::size_t taken = std::min(each.iov_len, written_at_once_max - count);
    if (!encrypt({each.iov_base, taken}, error)) return 0;
    count += taken;
  }
  send_gathered(below, lock, error);
  return error ? 0 : count;
}

std::size_t engine::write_then_read_some(transport& below, asio::const_buffer out,
                                         asio::mutable_buffer into, std::error_code& error) {
  while (out.size() > written_at_once_max) {
    const iovec first = {const_cast<void*>(out.data()), written_at_once_max};
    out += write_some(below, {&first, 1}, error);
    if (error) return 0;
  }
  arrivals room;
  guard lock = locked();
  if (out.size() > 0 && (!can_write(below, lock, error) || !encrypt(out, error))) return 0;
  std::size_t count = 0;
  const bool reads = into.size() > 0;
  error = failed_;
  if (!error && !shaken_) error = asio::error::not_connected;
  if (reads && !error && has_input()) {
    if (decrypt(into, count, error) == outcome::wants_input) count = 0;
  }
  if (error || count > 0 || !reads) {
    std::error_code ignored;
    send_gathered(below, lock, error ? ignored : error);
    return error ? 0 : count;
  }
  for (;;) {
    send_then_receive(below, lock, room, error);
    if (error) return 0;
    if (decrypt(into, count, error) == outcome::done) return count;
    if (error) {
      tell_failure(below, lock);
      return 0;
    }
  }
}

void engine::shutdown_send(transport& below, std::error_code& error) {
  guard lock = locked();
  error = failed_;
  if (!error && !shaken_) error = asio::error::not_connected;
  if (error || (SSL_get_shutdown(connection_) & SSL_SENT_SHUTDOWN) != 0) return;
  if (!can_write(below, lock, error)) return;
  drop_openssl_errors();
  SSL_shutdown(connection_);
  drop_openssl_errors();
  send_gathered(below, lock, error);
  write_failed_ = asio::error::broken_pipe;
}

std::string_view engine::protocol() const noexcept { return SSL_get_version(connection_); }

std::string_view engine::cipher() const noexcept {
  const char* const name = SSL_get_cipher_name(connection_);
  return name ? name : "";
}

std::string_view engine::alpn() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(connection_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view engine::server_name() const noexcept {
  const char* const name = SSL_get_servername(connection_, TLSEXT_NAMETYPE_host_name);
  return name ? name : "";
}

bool engine::resumed() const noexcept { return SSL_session_reused(connection_) == 1; }

std::optional<peer_identity> engine::peer() const {
  const X509* const certificate = SSL_get0_peer_certificate(connection_);
  if (!certificate) return std::nullopt;
  const bool asked = (SSL_get_verify_mode(connection_) & SSL_VERIFY_PEER) != 0;
  return identity_of(certificate, asked && SSL_get_verify_result(connection_) == X509_V_OK);
}

}  // namespace umcg::tls
