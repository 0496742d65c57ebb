// SPDX-License-Identifier: MIT
#pragma once

// The blocking calls of the io layer. Inside a worker each one blocks that worker only: the
// operation goes to the reactor of the server that runs it. On a plain thread each one blocks the
// thread. All return at the deadline with std::errc::timed_out and never leave an operation behind
// that still refers to the caller's memory.
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

struct peer_address {
  sockaddr_storage storage;
  socklen_t size;
};

// Accepts one connection from the listening socket `fd`: a close-on-exec descriptor, or -1 with
// `error`.
int accept(int fd, peer_address& peer, deadline until, std::error_code& error);

// Connects `fd` to `address`.
void connect(int fd, const sockaddr* address, socklen_t size, deadline until,
             std::error_code& error);

// Receives at least one byte. 0 without an error: the peer has closed its side.
std::size_t recv(int fd, std::span<std::byte> into, deadline until, std::error_code& error);

// Sends all of `bytes` (loops over partial sends) and returns how many left before an error.
std::size_t send(int fd, std::span<const std::byte> bytes, deadline until, std::error_code& error);

// Sends what the kernel takes of a gather list in one go; at least one byte unless there is an
// error.
std::size_t send_some(int fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error);

// Receives into a scatter list; otherwise as recv.
std::size_t recv_some(int fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error);

// Sends all of `out`, then receives at least one byte: one blocking call and one submission for the
// turn-around of a request and response protocol. On an error nothing is promised about how much of
// `out` left.
std::size_t send_then_recv(int fd, std::span<const std::byte> out, std::span<std::byte> into,
                           deadline until, std::error_code& error);

// Reads or writes a file at `offset`; -1 uses and moves the file position.
std::size_t read(int fd, std::span<std::byte> into, std::int64_t offset, deadline until,
                 std::error_code& error);
std::size_t write(int fd, std::span<const std::byte> bytes, std::int64_t offset, deadline until,
                  std::error_code& error);

// Returns when the deadline has passed.
void sleep_until(deadline until);

}  // namespace umcg::io
