// SPDX-License-Identifier: MIT
#pragma once

// The blocking calls of the io layer. Inside a worker each one blocks that worker only: the
// operation goes to the reactor of the server that runs it. On a plain thread each one blocks the
// thread. All return at the deadline, or at that of a deadline_scope around the caller, with
// std::errc::timed_out, and in a cancelled cancellation_scope with std::errc::operation_canceled;
// and never leave an operation behind that still refers to the caller's memory.
//
// Errors are std::error_code values of the system category, as the kernel reports them (ETIMEDOUT
// for a deadline, ECANCELED for a cancelled operation). `error` is cleared on success.

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include "umcg/deadline.hpp"

namespace umcg::io {

// A descriptor, and which of all that had its number it is. Who owns a socket from its beginning to
// its end, as streams and listeners do, names it by a serial: a reactor that has seen the serial
// before knows without asking that the number has not been given to another file meanwhile. Serial
// 0 is any descriptor, and costs the epoll reactor one more system call for each wait.
//
// Closing a descriptor that a call still waits for is an error of the program. Shut it down first,
// or let a deadline end the call. io_uring keeps the file for the call; epoll forgets it, and the
// call ends at its deadline, or with EBADF when the number is used for another file. Neither reads
// another file's bytes.
struct descriptor {
  descriptor(int number_of, std::uint64_t serial_of = 0) noexcept  // NOLINT: an int is one
      : number(number_of), serial(serial_of) {}
  operator int() const noexcept { return number; }  // NOLINT: and is used as one

  int number;
  std::uint64_t serial;
};

// Another one with each call, never 0. Any thread.
std::uint64_t new_serial() noexcept;

struct peer_address {
  sockaddr_storage storage;
  socklen_t size;
};

// Accepts one connection from the listening socket `fd`: a close-on-exec descriptor, or -1 with
// `error`.
int accept(descriptor fd, peer_address& peer, deadline until, std::error_code& error);

// Connects `fd` to `address`.
void connect(descriptor fd, const sockaddr* address, socklen_t size, deadline until,
             std::error_code& error);

// Receives at least one byte. 0 without an error: the peer has closed its side.
std::size_t recv(descriptor fd, std::span<std::byte> into, deadline until, std::error_code& error);

// Sends all of `bytes` (loops over partial sends) and returns how many left before an error.
std::size_t send(descriptor fd, std::span<const std::byte> bytes, deadline until,
                 std::error_code& error);

// Sends what the kernel takes of a gather list in one go; at least one byte unless there is an
// error.
std::size_t send_some(descriptor fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error);

// Receives into a scatter list; otherwise as recv.
std::size_t recv_some(descriptor fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error);

// Sends all of `out`, then receives at least one byte: one blocking call and one submission for the
// turn-around of a request and response protocol. On an error nothing is promised about how much of
// `out` left.
std::size_t send_then_recv(descriptor fd, std::span<const std::byte> out, std::span<std::byte> into,
                           deadline until, std::error_code& error);

// The same, and says whether all of `out` has left, which it may have when the receive fails.
struct exchange_buffers {
  std::span<const std::byte> out;
  std::span<std::byte> into;
  bool sent = false;
};
std::size_t exchange(descriptor fd, exchange_buffers& both, deadline until, std::error_code& error);

// One message, datagrams included: recvmsg(2) and sendmsg(2) with what `message` says, which is the
// caller's until the call returns. `flags` is 0 or MSG_PEEK. Returns how many bytes there were;
// what else is known of them is in `message`. 0 without an error is the end of a stream, or an
// empty datagram.
std::size_t recv_message(descriptor fd, msghdr& message, int flags, deadline until,
                         std::error_code& error);
std::size_t send_message(descriptor fd, const msghdr& message, deadline until,
                         std::error_code& error);

// Returns when `fd` can be read or written (POLLIN, POLLOUT) or is broken, which the next call on
// it reports; or when that was so a moment ago. For what is not a file on a disk.
void wait_until_ready(descriptor fd, short events, deadline until, std::error_code& error);

// Reads or writes a file at `offset`; -1 uses and moves the file position.
std::size_t read(descriptor fd, std::span<std::byte> into, std::int64_t offset, deadline until,
                 std::error_code& error);
std::size_t write(descriptor fd, std::span<const std::byte> bytes, std::int64_t offset,
                  deadline until, std::error_code& error);

// The same into a scatter list and from a gather list; maybe a part.
std::size_t read_some(descriptor fd, std::span<const iovec> buffers, std::int64_t offset,
                      deadline until, std::error_code& error);
std::size_t write_some(descriptor fd, std::span<const iovec> buffers, std::int64_t offset,
                       deadline until, std::error_code& error);

// Returns when the deadline has passed; before that with timed_out, at the deadline of a scope, or
// operation_canceled. On a plain thread there are no other errors either.
void sleep_until(deadline until, std::error_code& error);

}  // namespace umcg::io
