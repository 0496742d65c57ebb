// SPDX-License-Identifier: MIT

#include "umcg/net/stream.hpp"

#include <sys/socket.h>

#include <string>
#include <utility>

#include "base/unique_fd.hpp"
#include "io/operations.hpp"
#include "net/announcements.hpp"
#include "net/error_code.hpp"
#include "net/socket_endpoint.hpp"

namespace umcg::net {
namespace {

std::span<const std::byte> bytes_of(asio::const_buffer buffer) {
  return {static_cast<const std::byte*>(buffer.data()), buffer.size()};
}

std::span<std::byte> bytes_of(asio::mutable_buffer buffer) {
  return {static_cast<std::byte*>(buffer.data()), buffer.size()};
}

// Asio reports the end of a stream as an error, so that asio::read and its kin end there.
std::size_t received(std::size_t count, std::error_code& error) {
  if (error) {
    error = named_error(error);
  } else if (count == 0) {
    error = asio::error::eof;
  }
  return count;
}

std::size_t sent(std::size_t count, std::error_code& error) {
  if (error) error = named_error(error);
  return count;
}

}  // namespace

stream::stream(int fd) noexcept : fd_(fd), serial_(io::new_serial()) {}

stream::stream(stream&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      announced_(std::exchange(other.announced_, false)),
      serial_(other.serial_),
      deadline_(std::exchange(other.deadline_, deadline::never())) {}

stream& stream::operator=(stream&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  announced_ = std::exchange(other.announced_, false);
  serial_ = other.serial_;
  deadline_ = std::exchange(other.deadline_, deadline::never());
  return *this;
}

stream::~stream() { close(); }

stream stream::connect(const endpoint& peer, deadline until, std::error_code& error) {
  stream connecting(
      ::socket(peer.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, peer.protocol().protocol()));
  if (!connecting.is_open()) {
    error = last_error();
    return {};
  }
  connecting.set_no_delay(true, error);
  if (error) return {};
  io::connect({connecting.fd_, connecting.serial_}, peer.data(),
              static_cast<socklen_t>(peer.size()), until, error);
  if (error) {
    error = named_error(error);
    return {};
  }
  return connecting;
}

stream stream::connect(const endpoint& peer, deadline until) {
  std::error_code error;
  stream connected = connect(peer, until, error);
  if (error) throw std::system_error(error, "connect to " + to_string(peer));
  return connected;
}

std::size_t stream::read_vector(std::span<const iovec> buffers, std::error_code& error) {
  if (buffers.empty()) {
    error.clear();
    return 0;
  }
  if (buffers.size() > 1)
    return received(io::recv_some({fd_, serial_}, buffers, deadline_, error), error);
  const std::span into(static_cast<std::byte*>(buffers[0].iov_base), buffers[0].iov_len);
  return received(io::recv({fd_, serial_}, into, deadline_, error), error);
}

std::size_t stream::write_vector(std::span<const iovec> buffers, std::error_code& error) {
  if (buffers.empty()) {
    error.clear();
    return 0;
  }
  return sent(io::send_some({fd_, serial_}, buffers, deadline_, error), error);
}

std::size_t stream::write(asio::const_buffer bytes, std::error_code& error) {
  if (bytes.size() == 0) {
    error.clear();
    return 0;
  }
  return sent(io::send({fd_, serial_}, bytes_of(bytes), deadline_, error), error);
}

std::size_t stream::write(asio::const_buffer bytes) {
  std::error_code error;
  const std::size_t count = write(bytes, error);
  throw_if(error, "write");
  return count;
}

std::size_t stream::write_then_read_some(asio::const_buffer out, asio::mutable_buffer into,
                                         bool& written, std::error_code& error) {
  if (into.size() == 0) {
    write(out, error);
    written = !error;
    return 0;
  }
  io::exchange_buffers both{bytes_of(out), bytes_of(into)};
  const std::size_t count = io::exchange({fd_, serial_}, both, deadline_, error);
  written = both.sent;
  return received(count, error);
}

std::size_t stream::write_then_read_some(asio::const_buffer out, asio::mutable_buffer into,
                                         std::error_code& error) {
  bool written = false;
  return write_then_read_some(out, into, written, error);
}

std::size_t stream::write_then_read_some(asio::const_buffer out, asio::mutable_buffer into) {
  std::error_code error;
  const std::size_t count = write_then_read_some(out, into, error);
  throw_if(error, "write_then_read_some");
  return count;
}

void stream::shutdown(int direction, std::error_code& error) noexcept {
  error = ::shutdown(fd_, direction) == 0 ? std::error_code() : last_error();
}

void stream::shutdown_send(std::error_code& error) noexcept { shutdown(SHUT_WR, error); }
void stream::shutdown_receive(std::error_code& error) noexcept { shutdown(SHUT_RD, error); }
void stream::shutdown_both(std::error_code& error) noexcept { shutdown(SHUT_RDWR, error); }

void stream::shutdown_send() {
  std::error_code error;
  shutdown_send(error);
  throw_if(error, "shutdown_send");
}

void stream::shutdown_receive() {
  std::error_code error;
  shutdown_receive(error);
  throw_if(error, "shutdown_receive");
}

void stream::shutdown_both() {
  std::error_code error;
  shutdown_both(error);
  throw_if(error, "shutdown_both");
}

void stream::close() noexcept { base::unique_fd(release()).reset(); }

endpoint stream::local_endpoint(std::error_code& error) const {
  return socket_endpoint(fd_, &::getsockname, error);
}

endpoint stream::local_endpoint() const {
  std::error_code error;
  endpoint local = local_endpoint(error);
  throw_if(error, "local_endpoint");
  return local;
}

endpoint stream::remote_endpoint(std::error_code& error) const {
  if (announced_) {
    error.clear();
    if (const auto header = find_announcement(serial_); header->source) return *header->source;
  }
  return socket_endpoint(fd_, &::getpeername, error);
}

endpoint stream::remote_endpoint() const {
  std::error_code error;
  endpoint remote = remote_endpoint(error);
  throw_if(error, "remote_endpoint");
  return remote;
}

void stream::set_no_delay(bool on, std::error_code& error) noexcept {
  set_option(option::tcp_no_delay(on), error);
}

void stream::set_no_delay(bool on) {
  std::error_code error;
  set_no_delay(on, error);
  throw_if(error, "set_no_delay");
}

std::optional<proxy_header> stream::announced() const {
  return announced_ ? find_announcement(serial_) : std::nullopt;
}

void stream::announce(proxy_header header) {
  keep_announcement(serial_, std::move(header));
  announced_ = true;
}

int stream::release() noexcept {
  if (std::exchange(announced_, false)) forget_announcement(serial_);
  return std::exchange(fd_, -1);
}

}  // namespace umcg::net
