// SPDX-License-Identifier: MIT
#pragma once

// Pipes. The calls block the calling worker only (on a plain thread: the thread). The ends model
// Asio's SyncReadStream and SyncWriteStream, so asio::read, asio::read_until and asio::write work
// on them unchanged.
//
// Thread safety: one reader and one writer at a time. expires_at(), close(), release() and moving
// need the end for themselves. To end a call from outside, use a deadline or a cancellation.

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/net/buffer_list.hpp"
#include "umcg/net/error.hpp"

namespace umcg::os {

// What both ends have.
class pipe_end {
 public:
  // Not open; every operation reports bad_descriptor.
  pipe_end() noexcept = default;
  // Takes over `fd`, which is in blocking mode.
  explicit pipe_end(int fd) noexcept;
  pipe_end(pipe_end&& other) noexcept;
  pipe_end& operator=(pipe_end&& other) noexcept;
  pipe_end(const pipe_end&) = delete;
  pipe_end& operator=(const pipe_end&) = delete;
  ~pipe_end() { close(); }

  // The deadline of every following read or write. Never, to begin with. When it has passed, an
  // operation still succeeds if it need not wait.
  void expires_at(deadline until) noexcept { deadline_ = until; }
  deadline expiry() const noexcept { return deadline_; }

  // Closes now; safe to call twice.
  void close() noexcept;

  bool is_open() const noexcept { return fd_ >= 0; }
  int native_handle() const noexcept { return fd_; }
  // Gives the descriptor up; the caller closes it.
  int release() noexcept;

 protected:
  std::size_t read(std::span<const iovec> into, std::error_code& error);
  std::size_t write(std::span<const iovec> bytes, std::error_code& error);

 private:
  int fd_ = -1;
  std::uint64_t serial_ = 0;  // which of all files that had this number
  deadline deadline_;
};

class pipe_reader : public pipe_end {
 public:
  using pipe_end::pipe_end;

  // Waits for at least one byte and returns how many were read. asio::error::eof: there are no more
  // and nobody can write. Errors: timed_out, operation_aborted; nothing was consumed then. A
  // sequence without room for a byte: 0.
  template <net::mutable_buffers Buffers>
  std::size_t read_some(const Buffers& buffers, std::error_code& error) {
    return read(net::buffer_list::of<asio::mutable_buffer>(buffers).entries(), error);
  }
  template <net::mutable_buffers Buffers>
  std::size_t read_some(const Buffers& buffers) {
    std::error_code error;
    const std::size_t count = read_some(buffers, error);
    net::throw_if(error, "read_some");
    return count;
  }
};

class pipe_writer : public pipe_end {
 public:
  using pipe_end::pipe_end;

  // Writes at least one byte and returns how many the kernel took. Waits while the pipe is full.
  // Errors: broken_pipe (nobody can read), timed_out, operation_aborted. Never raises SIGPIPE.
  template <net::const_buffers Buffers>
  std::size_t write_some(const Buffers& buffers, std::error_code& error) {
    return write(net::buffer_list::of<asio::const_buffer>(buffers).entries(), error);
  }
  template <net::const_buffers Buffers>
  std::size_t write_some(const Buffers& buffers) {
    std::error_code error;
    const std::size_t count = write_some(buffers, error);
    net::throw_if(error, "write_some");
    return count;
  }
};

struct pipe {
  pipe_reader reader;
  pipe_writer writer;
};

// Programs that are started by this process get neither end. Never blocks. Errors: no_descriptors.
pipe make_pipe();
pipe make_pipe(std::error_code& error);

}  // namespace umcg::os
