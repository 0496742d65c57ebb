// SPDX-License-Identifier: MIT
#include "umcg/os/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <asio/error.hpp>

#include "base/unique_fd.hpp"
#include "io/file_calls.hpp"
#include "io/operations.hpp"
#include "net/error_code.hpp"
#include "os/path.hpp"
#include "umcg/blocking_region.hpp"
#include "umcg/cancellation.hpp"

namespace umcg::os {

namespace {

// Negative: neither to read nor to write.
int open_flags(const open_options& options) noexcept {
  int flags = -1;
  if (options.read && options.write) {
    flags = O_RDWR;
  } else if (options.write) {
    flags = O_WRONLY;
  } else if (options.read) {
    flags = O_RDONLY;
  }
  if (flags < 0) return flags;
  if (options.append) flags |= O_APPEND;
  if (options.create) flags |= O_CREAT;
  if (options.exclusive) flags |= O_EXCL;
  if (options.truncate) flags |= O_TRUNC;
  return flags;
}

// As an argument of the kernel's, which has 63 bits for it and takes -1 for the position.
std::int64_t kernel_offset(std::uint64_t offset, std::error_code& error) {
  error.clear();
  if (offset == UINT64_MAX) return -1;
  if (offset > INT64_MAX) error = asio::error::invalid_argument;
  return static_cast<std::int64_t>(offset);
}

}  // namespace

file& file::operator=(file&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = other.release();
  return *this;
}

file file::open(const std::string& path, const open_options& options, std::error_code& error) {
  const char* const name = path_text(path, error);
  if (error) return {};
  const int flags = open_flags(options);
  if (flags < 0) {
    error = asio::error::invalid_argument;
    return {};
  }
  file opened(io::open_file(name, flags, options.permissions, error));
  if (error) error = net::named_error(error);
  return opened;
}

file file::open(const std::string& path, const open_options& options) {
  std::error_code error;
  file opened = open(path, options, error);
  throw_if(error, "open", path);
  return opened;
}

std::size_t file::read(std::span<const iovec> into, std::uint64_t offset, std::error_code& error) {
  const std::int64_t from = kernel_offset(offset, error);
  if (into.empty() || error) return 0;
  const std::size_t count = io::read_some(fd_, into, from, deadline::never(), error);
  if (error) {
    error = net::named_error(error);
  } else if (count == 0) {
    error = asio::error::eof;
  }
  return count;
}

std::size_t file::write(std::span<const iovec> bytes, std::uint64_t offset,
                        std::error_code& error) {
  const std::int64_t to = kernel_offset(offset, error);
  if (bytes.empty() || error) return 0;
  const std::size_t count = io::write_some(fd_, bytes, to, deadline::never(), error);
  if (error) error = net::named_error(error);
  return count;
}

void file::sync(std::error_code& error) {
  io::sync_file(fd_, false, error);
  if (error) error = net::named_error(error);
}

void file::sync() {
  std::error_code error;
  sync(error);
  net::throw_if(error, "sync");
}

void file::sync_data(std::error_code& error) {
  io::sync_file(fd_, true, error);
  if (error) error = net::named_error(error);
}

void file::sync_data() {
  std::error_code error;
  sync_data(error);
  net::throw_if(error, "sync_data");
}

// io_uring can do it since Linux 6.9 only.
void file::resize(std::uint64_t size_bytes, std::error_code& error) {
  const std::int64_t size = kernel_offset(size_bytes, error);
  if (error) return;
  if (cancellation_scope::cancelled()) {
    error = asio::error::operation_aborted;
    return;
  }
  const blocking_region region;
  while (::ftruncate(fd_, size) != 0) {
    if (errno == EINTR) continue;
    error = net::last_error();
    return;
  }
}

void file::resize(std::uint64_t size_bytes) {
  std::error_code error;
  resize(size_bytes, error);
  net::throw_if(error, "resize");
}

void file::seek(std::uint64_t offset, std::error_code& error) noexcept {
  const std::int64_t to = kernel_offset(offset, error);
  if (!error && ::lseek(fd_, to, SEEK_SET) < 0) error = net::last_error();
}

void file::seek(std::uint64_t offset) {
  std::error_code error;
  seek(offset, error);
  net::throw_if(error, "seek");
}

file_status file::status(std::error_code& error) const {
  struct statx about {};
  io::status_of(io::descriptor(fd_), about, error);
  if (!error) return status_from(about);
  error = net::named_error(error);
  return {};
}

file_status file::status() const {
  std::error_code error;
  const file_status about = status(error);
  net::throw_if(error, "status");
  return about;
}

void file::close() noexcept { base::unique_fd(release()).reset(); }

int file::release() noexcept { return std::exchange(fd_, -1); }

}  // namespace umcg::os
