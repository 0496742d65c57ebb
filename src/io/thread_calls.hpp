// SPDX-License-Identifier: MIT
#pragma once

// The blocking calls of the io layer for a plain thread, which has no reactor: system calls and
// ppoll(2). Signatures and promises are those of io/operations.hpp. What is particular here:
//
// - Descriptors stay in blocking mode, because O_NONBLOCK makes io_uring complete an operation with
//   EAGAIN instead of waiting. A call tries without blocking (MSG_DONTWAIT, RWF_NOWAIT) and waits
//   in ppoll(2) for what it misses.
// - A deadline that has passed: one try, and timed_out if that was not enough.
// - A signal handler that runs in between costs nothing: calls go on, deadlines do not restart.
// - SIGPIPE is never raised.
// - In a cancellation scope, a wait has an eventfd beside the descriptor, and reports what creating
//   that reports. Without such a scope there is none.

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include "io/operations.hpp"
#include "umcg/deadline.hpp"

namespace umcg::io::thread_calls {

// Exact among plain threads. accept(2) has no MSG_DONTWAIT, so where workers or other processes
// accept from the same socket at the same time and take the connection that this call has seen, it
// and the other threads that accept from that socket return only with the next connection or when
// the socket is shut down, which may be after the deadline. No connection is lost.
int accept(descriptor fd, peer_address& peer, deadline until, std::error_code& error);

// The socket has O_NONBLOCK set for the moment of connect(2), so nothing else may use it until the
// call returns. After an error its state is unspecified: close it. A Unix listener with a full
// queue is EAGAIN at once.
void connect(descriptor fd, const sockaddr* address, socklen_t size, deadline until,
             std::error_code& error);

std::size_t recv(descriptor fd, std::span<std::byte> into, deadline until, std::error_code& error);
std::size_t send(descriptor fd, std::span<const std::byte> bytes, deadline until,
                 std::error_code& error);
std::size_t send_some(descriptor fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error);
std::size_t recv_some(descriptor fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error);
std::size_t recv_message(descriptor fd, msghdr& message, int flags, deadline until,
                         std::error_code& error);
std::size_t send_message(descriptor fd, const msghdr& message, deadline until,
                         std::error_code& error);
std::size_t send_then_recv(descriptor fd, std::span<const std::byte> out, std::span<std::byte> into,
                           deadline until, std::error_code& error);
std::size_t exchange(descriptor fd, exchange_buffers& both, deadline until, std::error_code& error);

void wait_until_ready(descriptor fd, short events, deadline until, std::error_code& error);

// One transfer, which may be a part. The deadline bounds the wait for pipes, sockets and devices
// that can be polled; a disk answers when it does.
std::size_t read(descriptor fd, std::span<std::byte> into, std::int64_t offset, deadline until,
                 std::error_code& error);
std::size_t write(descriptor fd, std::span<const std::byte> bytes, std::int64_t offset,
                  deadline until, std::error_code& error);

std::size_t read_some(descriptor fd, std::span<const iovec> buffers, std::int64_t offset,
                      deadline until, std::error_code& error);
std::size_t write_some(descriptor fd, std::span<const iovec> buffers, std::int64_t offset,
                       deadline until, std::error_code& error);

void sleep_until(deadline until, std::error_code& error);

}  // namespace umcg::io::thread_calls
