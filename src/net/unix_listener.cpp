// SPDX-License-Identifier: MIT

// What is particular to listeners at Unix-domain endpoints: their files.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/unique_fd.hpp"
#include "io/operations.hpp"
#include "net/error_code.hpp"
#include "net/proxy_acceptor.hpp"
#include "net/socket_endpoint.hpp"
#include "umcg/net/listener.hpp"

namespace umcg::net {
namespace {

base::unique_fd open_socket(int flags) {
  return base::unique_fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
}

bool has_file(const unix_endpoint& where) {
  const std::string path = where.path();
  return !path.empty() && path.front() != '\0';
}

bool bind_to(int fd, const unix_endpoint& where) {
  return ::bind(fd, where.data(), static_cast<socklen_t>(where.size())) == 0;
}

// Whether the file is a socket at which nobody listens: its listener has ended without removing it.
bool is_stale(const unix_endpoint& where) {
  struct stat about {};
  if (::lstat(where.path().c_str(), &about) != 0 || !S_ISSOCK(about.st_mode)) return false;
  const base::unique_fd asking = open_socket(SOCK_NONBLOCK);
  const auto size = static_cast<socklen_t>(where.size());
  return asking && ::connect(asking.get(), where.data(), size) != 0 && errno == ECONNREFUSED;
}

bool bind_or_replace(int fd, const unix_endpoint& where, bool replace_stale) {
  if (bind_to(fd, where)) return true;
  if (errno != EADDRINUSE || !replace_stale) return false;
  if (has_file(where) && is_stale(where)) {
    ::unlink(where.path().c_str());
    return bind_to(fd, where);
  }
  errno = EADDRINUSE;
  return false;
}

}  // namespace

listener listener::bind(const unix_endpoint& where, const unix_listen_options& options,
                        std::error_code& error) {
  listener result;
  base::unique_fd fd = open_socket(0);
  if (!fd || !bind_or_replace(fd.get(), where, options.replace_stale)) {
    error = last_error();
    return result;
  }
  result.fd_ = fd.release();
  result.serial_ = io::new_serial();
  struct stat about {};
  if (has_file(where) && ::stat(where.path().c_str(), &about) == 0) {
    result.file_ = {about.st_dev, about.st_ino};
  }
  // Nobody can connect before it listens, so also nobody who may not.
  const bool permitted = !options.permissions || !has_file(where) ||
                         ::chmod(where.path().c_str(), *options.permissions) == 0;
  error =
      permitted && ::listen(result.fd_, options.backlog) == 0 ? std::error_code() : last_error();
  if (!error) result.expect_headers(options.proxy, error);
  if (error) return {};
  return result;
}

listener listener::bind(const unix_endpoint& where, const unix_listen_options& options) {
  std::error_code error;
  listener result = bind(where, options, error);
  if (error) throw std::system_error(error, "listen at " + to_string(where));
  return result;
}

unix_endpoint listener::local_unix_endpoint(std::error_code& error) const {
  return unix_socket_endpoint(fd_, &::getsockname, error);
}

unix_endpoint listener::local_unix_endpoint() const {
  std::error_code error;
  unix_endpoint local = local_unix_endpoint(error);
  throw_if(error, "local_unix_endpoint");
  return local;
}

void listener::remove_file() const noexcept {
  std::error_code error;
  const unix_endpoint at = local_unix_endpoint(error);
  const char* const path = reinterpret_cast<const sockaddr_un*>(at.data())->sun_path;
  struct stat about {};
  if (error || ::stat(path, &about) != 0) return;
  if (about.st_dev == file_.device && about.st_ino == file_.number) ::unlink(path);
}

}  // namespace umcg::net
