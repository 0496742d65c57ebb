// SPDX-License-Identifier: MIT
#pragma once

// Files. Each call blocks the calling worker only, however long the disk takes (on a plain thread:
// the thread): over io_uring it is an operation of the ring, over epoll what is not in memory is
// done in a blocking region.
//
// A file models Asio's SyncReadStream and SyncWriteStream, at its position, and
// SyncRandomAccessReadDevice and its kin, at an offset. So asio::read, asio::write, asio::read_at
// and asio::write_at, which go on until everything is transferred, work on it unchanged:
//
//   os::file log = os::file::open("/var/log/app", {.write = true, .append = true, .create = true});
//   asio::write(log, asio::buffer(line));
//   log.sync_data();
//
// Deadlines and cancellations come from scopes around the caller, and end a call where the kernel
// can end it: transfers from and to pipes and devices that wait; other calls over io_uring that
// have not begun. A disk that is at work is waited for. In a cancelled scope no call begins
// (operation_aborted).
//
// Errors are those of the system calls: as Asio names them where it does (access_denied,
// no_descriptors), and otherwise std::errc (no_such_file_or_directory, file_exists,
// no_space_on_device). Each function has an overload that throws them as std::system_error.
//
// Thread safety: as for a descriptor. Calls at offsets may be made at the same time; calls at the
// position too, but share it. close(), release() and moving need the file for themselves.

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>

#include "umcg/net/buffer_list.hpp"
#include "umcg/net/error.hpp"
#include "umcg/os/status.hpp"

namespace umcg::os {

struct open_options {
  bool read = true;
  bool write = false;
  bool append = false;     // each write goes to the end; with `write`
  bool create = false;     // if there is none; with `permissions`, less the umask
  bool exclusive = false;  // with `create`: file_exists if there is one, a symbolic link included
  bool truncate = false;   // to nothing
  mode_t permissions = 0666;
};

class file {
 public:
  // Not open; every operation reports bad_descriptor.
  file() noexcept = default;
  // Takes over the open descriptor `fd`.
  explicit file(int fd) noexcept : fd_(fd) {}
  file(file&& other) noexcept : fd_(other.release()) {}
  file& operator=(file&& other) noexcept;
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  ~file() { close(); }

  // A relative path begins at the current directory. Programs that are started by this process do
  // not get the descriptor. Errors: no_such_file_or_directory, access_denied, file_exists,
  // is_a_directory, no_descriptors, invalid_argument (neither read nor write; a zero in the path),
  // ...
  static file open(const std::string& path, const open_options& options = {});
  static file open(const std::string& path, const open_options& options, std::error_code& error);

  // Reads at least one byte at the position, and moves it; asio::error::eof at the end of the file.
  // A sequence without room for a byte: 0. Uses at most net::buffer_list::size_max buffers.
  template <net::mutable_buffers Buffers>
  std::size_t read_some(const Buffers& buffers);
  template <net::mutable_buffers Buffers>
  std::size_t read_some(const Buffers& buffers, std::error_code& error);
  // Writes at least one byte at the position, and moves it. Errors: no_space_on_device, ... Never
  // raises SIGPIPE.
  template <net::const_buffers Buffers>
  std::size_t write_some(const Buffers& buffers);
  template <net::const_buffers Buffers>
  std::size_t write_some(const Buffers& buffers, std::error_code& error);

  // The same at an offset in bytes, at most 2^63 - 1; the position stays.
  template <net::mutable_buffers Buffers>
  std::size_t read_some_at(std::uint64_t offset, const Buffers& buffers);
  template <net::mutable_buffers Buffers>
  std::size_t read_some_at(std::uint64_t offset, const Buffers& buffers, std::error_code& error);
  template <net::const_buffers Buffers>
  std::size_t write_some_at(std::uint64_t offset, const Buffers& buffers);
  template <net::const_buffers Buffers>
  std::size_t write_some_at(std::uint64_t offset, const Buffers& buffers, std::error_code& error);

  // Returns when everything that was written is on the disk: fsync(2). After an error it is not
  // known what is, and another call does not tell (see its manual).
  void sync();
  void sync(std::error_code& error);
  // The same without what is only about the file, such as its times: fdatasync(2).
  void sync_data();
  void sync_data(std::error_code& error);

  // Cuts the file off, or makes it longer by zeros: ftruncate(2).
  void resize(std::uint64_t size_bytes);
  void resize(std::uint64_t size_bytes, std::error_code& error);

  // Moves the position, to an offset from the beginning. Never blocks. Errors: invalid_seek (a
  // pipe), invalid_argument.
  void seek(std::uint64_t offset);
  void seek(std::uint64_t offset, std::error_code& error) noexcept;

  file_status status() const;
  file_status status(std::error_code& error) const;

  // Closes now; safe to call twice. What is not on the disk yet gets there later, and nobody is
  // told of errors: sync() first where that matters.
  void close() noexcept;

  bool is_open() const noexcept { return fd_ >= 0; }
  int native_handle() const noexcept { return fd_; }
  // Gives the descriptor up; the caller closes it.
  int release() noexcept;

 private:
  static constexpr std::uint64_t at_position = UINT64_MAX;

  std::size_t read(std::span<const iovec> into, std::uint64_t offset, std::error_code& error);
  std::size_t write(std::span<const iovec> bytes, std::uint64_t offset, std::error_code& error);

  int fd_ = -1;
};

template <net::mutable_buffers Buffers>
std::size_t file::read_some(const Buffers& buffers, std::error_code& error) {
  return read(net::buffer_list::of<asio::mutable_buffer>(buffers).entries(), at_position, error);
}

template <net::mutable_buffers Buffers>
std::size_t file::read_some(const Buffers& buffers) {
  std::error_code error;
  const std::size_t count = read_some(buffers, error);
  net::throw_if(error, "read_some");
  return count;
}

template <net::const_buffers Buffers>
std::size_t file::write_some(const Buffers& buffers, std::error_code& error) {
  return write(net::buffer_list::of<asio::const_buffer>(buffers).entries(), at_position, error);
}

template <net::const_buffers Buffers>
std::size_t file::write_some(const Buffers& buffers) {
  std::error_code error;
  const std::size_t count = write_some(buffers, error);
  net::throw_if(error, "write_some");
  return count;
}

template <net::mutable_buffers Buffers>
std::size_t file::read_some_at(std::uint64_t offset, const Buffers& buffers,
                               std::error_code& error) {
  return read(net::buffer_list::of<asio::mutable_buffer>(buffers).entries(), offset, error);
}

template <net::mutable_buffers Buffers>
std::size_t file::read_some_at(std::uint64_t offset, const Buffers& buffers) {
  std::error_code error;
  const std::size_t count = read_some_at(offset, buffers, error);
  net::throw_if(error, "read_some_at");
  return count;
}

template <net::const_buffers Buffers>
std::size_t file::write_some_at(std::uint64_t offset, const Buffers& buffers,
                                std::error_code& error) {
  return write(net::buffer_list::of<asio::const_buffer>(buffers).entries(), offset, error);
}

template <net::const_buffers Buffers>
std::size_t file::write_some_at(std::uint64_t offset, const Buffers& buffers) {
  std::error_code error;
  const std::size_t count = write_some_at(offset, buffers, error);
  net::throw_if(error, "write_some_at");
  return count;
}

}  // namespace umcg::os
