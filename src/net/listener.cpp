// SPDX-License-Identifier: MIT

#include "umcg/net/listener.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>

#include "base/unique_fd.hpp"
#include "io/operations.hpp"
#include "net/error_code.hpp"
#include "net/proxy_acceptor.hpp"
#include "net/socket_endpoint.hpp"

namespace umcg::net {
namespace {

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

bool set_options(int fd, const endpoint& where, const listen_options& options) {
  // Accepted sockets inherit TCP_NODELAY: one call here instead of one for each connection.
  return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
         set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
         (!options.reuse_port || set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
         (!options.free_bind || set_option(fd, IPPROTO_IP, IP_FREEBIND, 1)) &&
         (options.receive_buffer_size_bytes == 0 ||
          set_option(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_size_bytes)) &&
         (where.address().is_v4() ||
          set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0));
}

// A socket that listens; none with errno.
base::unique_fd listen_at(const endpoint& where, const listen_options& options) {
  base::unique_fd fd(
      ::socket(where.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, where.protocol().protocol()));
  if (!fd || !set_options(fd.get(), where, options)) return {};
  if (::bind(fd.get(), where.data(), static_cast<socklen_t>(where.size())) != 0) return {};
  if (::listen(fd.get(), options.backlog) != 0) return {};
  return fd;
}

bool means_ipv4_too(const endpoint& where, const listen_options& options) {
  return where.address() == asio::ip::address_v6::any() && !options.ipv6_only;
}

// accept(2) reports a network error that is already pending on a new connection as its own: the
// connection is gone, the listener is well. EOPNOTSUPP and EPERM are on the manual's list too, but
// may also be lasting, and skipping a lasting error would be a busy loop.
bool died_in_queue(const std::error_code& error) {
  switch (error.value()) {
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return true;
    default:
      return false;
  }
}

}  // namespace

listener::listener() noexcept = default;

listener::listener(listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      serial_(other.serial_),
      local_(std::exchange(other.local_, {})),
      file_(std::exchange(other.file_, {})),
      proxies_(std::move(other.proxies_)) {}

listener& listener::operator=(listener&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  serial_ = other.serial_;
  local_ = std::exchange(other.local_, {});
  file_ = std::exchange(other.file_, {});
  proxies_ = std::move(other.proxies_);
  return *this;
}

listener::~listener() { close(); }

void listener::close() noexcept {
  if (file_.number != 0) remove_file();
  base::unique_fd closing(fd_);
}

listener listener::bind(const endpoint& where, const listen_options& options,
                        std::error_code& error) {
  base::unique_fd fd = listen_at(where, options);
  if (!fd && errno == EAFNOSUPPORT && means_ipv4_too(where, options)) {
    fd = listen_at(endpoint(asio::ip::address_v4::any(), where.port()), options);
  }
  if (!fd) {
    error = last_error();
    return {};
  }
  listener result;
  result.local_ = socket_endpoint(fd.get(), &::getsockname, error);
  if (error) return result;
  result.fd_ = fd.release();
  result.serial_ = io::new_serial();
  if (options.proxy && options.proxy->trusted.empty()) error = asio::error::invalid_argument;
  if (!error) result.expect_headers(options.proxy, error);
  if (error) return {};
  return result;
}

void listener::expect_headers(const std::optional<proxy_protocol>& of, std::error_code& error) {
  if (!of) return;
  proxies_ = std::make_unique<proxy_acceptor>(fd_, *of, error);
  error = named_error(error);
}

listener listener::bind(const endpoint& where, const listen_options& options) {
  std::error_code error;
  listener result = bind(where, options, error);
  if (error) throw std::system_error(error, "listen at " + to_string(where));
  return result;
}

stream listener::accept_any(deadline until, std::error_code& error) {
  if (proxies_) return proxies_->accept(until, error);
  io::peer_address peer;
  const int accepted = io::accept({fd_, serial_}, peer, until, error);
  return error ? stream() : stream(accepted);
}

stream listener::accept(deadline until, std::error_code& error) {
  for (;;) {
    stream accepted = accept_any(until, error);
    if (!error) return accepted;
    // A socket that was shut down does not listen, which the kernel calls an invalid argument.
    error =
        error == std::errc::invalid_argument ? asio::error::operation_aborted : named_error(error);
    if (!died_in_queue(error)) return {};
    if (until.passed()) {
      error = asio::error::timed_out;
      return {};
    }
  }
}

stream listener::accept(deadline until) {
  std::error_code error;
  stream accepted = accept(until, error);
  throw_if(error, "accept");
  return accepted;
}

void listener::stop() noexcept { ::shutdown(fd_, SHUT_RDWR); }

}  // namespace umcg::net
