// SPDX-License-Identifier: MIT
#pragma once

// What the epoll reactor asks of the kernel: every system call that it makes, and the clock that it
// reads. A seam for tests, which put a kernel with faults and a time of its own in its place; one
// indirect call beside a system call cannot be measured.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "umcg/deadline.hpp"

namespace umcg::io {

// Each function returns what the kernel returns, errors as negated error numbers, and none touches
// errno or blocks, but for wait(). Thread safety: as the kernel's.
class epoll_kernel {
 public:
  virtual ~epoll_kernel() = default;

  virtual deadline::clock::time_point now() noexcept = 0;

  // --- the epoll set ---
  virtual int create_set() noexcept = 0;
  // epoll_ctl(2). `data` comes back with the events.
  virtual int control(int set, int what, int fd, std::uint32_t events,
                      std::uint64_t data) noexcept = 0;
  // Blocks until there is an event, `until` or a signal. Returns how many events there are.
  virtual int wait(int set, std::span<epoll_event> into, deadline until) noexcept = 0;
  // What ends a wait from outside: an eventfd.
  virtual int create_bell() noexcept = 0;
  virtual void ring_bell(int bell) noexcept = 0;
  virtual void close(int fd) noexcept = 0;

  // poll(2) that does not wait. What of `events` is there, and what is broken; 0: nothing.
  virtual int poll(int fd, short events) noexcept = 0;

  // --- sockets, whatever mode they are in ---
  virtual int recv(int fd, std::span<std::byte> into) noexcept = 0;
  virtual int send(int fd, std::span<const std::byte> bytes) noexcept = 0;
  virtual int recv_message(int fd, msghdr& message, int flags) noexcept = 0;
  virtual int send_message(int fd, const msghdr& message) noexcept = 0;
  // Whether it carries TCP, where a receive that falls short has emptied the socket.
  virtual bool is_tcp(int fd) noexcept = 0;
  // accept(2) knows no flag that keeps one call from blocking, so the socket is put into
  // non-blocking mode, for good.
  virtual int make_non_blocking(int fd) noexcept = 0;
  // For a socket in non-blocking mode.
  virtual int accept(int fd, sockaddr* address, socklen_t* size) noexcept = 0;
  // The socket is in non-blocking mode for the moment of the call. EINPROGRESS: see
  // outcome_of_connect() when it can be written to.
  virtual int connect(int fd, const sockaddr* address, socklen_t size) noexcept = 0;
  virtual int outcome_of_connect(int fd) noexcept = 0;

  // --- files: RWF_NOWAIT; EAGAIN or EOPNOTSUPP where that cannot be ---
  virtual int read(int fd, std::span<const iovec> into, std::int64_t offset) noexcept = 0;
  virtual int write(int fd, std::span<const iovec> bytes, std::int64_t offset) noexcept = 0;
  virtual bool is_regular_file(int fd) noexcept = 0;
};

// The one that Linux is.
epoll_kernel& linux_epoll() noexcept;

}  // namespace umcg::io
