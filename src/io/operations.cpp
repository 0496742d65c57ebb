// SPDX-License-Identifier: MIT
// The blocking calls on a worker: an operation for the reactor of its server. On a plain thread:
// thread_calls.
#include "io/operations.hpp"

#include <cerrno>

#include "io/reactor.hpp"
#include "io/thread_calls.hpp"
#include "libumcg/scheduling.hpp"
#include "umcg/worker.hpp"

namespace umcg::io {

namespace {

std::error_code make_error(int number) noexcept { return {number, std::system_category()}; }

// A count; 0 with `error` set.
std::size_t count_or_error(int result, std::error_code& error) noexcept {
  if (result >= 0) {
    error.clear();
    return static_cast<std::size_t>(result);
  }
  error = make_error(-result);
  return 0;
}

// The reactor is looked up anew each time, and inside library code: elsewhere the worker may be
// stopped at any point and go on at another server.
void perform_once(operation& wanted, deadline until) noexcept {
  const libumcg::preempt_guard guard(libumcg::current_task);
  reactor_here()->perform(wanted, until);
}

// Performs `wanted` again for as long as a signal interrupts it.
void perform(operation& wanted, deadline until) noexcept {
  do {
    perform_once(wanted, until);
  } while (wanted.result == -EINTR);
}

std::size_t send_rest(operation& wanted, deadline until, std::error_code& error) noexcept {
  const std::size_t size = wanted.out.size();
  std::size_t sent = 0;
  while (sent < size) {
    perform(wanted, until);
    const std::size_t count = count_or_error(wanted.result, error);
    if (error) return sent;
    sent += count;
    wanted.out = wanted.out.subspan(count);
  }
  error.clear();
  return sent;
}

std::size_t perform_message(action what, int fd, std::span<const iovec> buffers, deadline until,
                            std::error_code& error) noexcept {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(buffers.data());
  message.msg_iovlen = buffers.size();
  operation wanted(what, fd);
  wanted.message = &message;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

}  // namespace

int accept(int fd, peer_address& peer, deadline until, std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::accept(fd, peer, until, error);
  operation wanted(action::accept, fd);
  peer.size = sizeof peer.storage;
  wanted.address = reinterpret_cast<sockaddr*>(&peer.storage);
  wanted.address_size = &peer.size;
  perform(wanted, until);
  const std::size_t accepted = count_or_error(wanted.result, error);
  return error ? -1 : static_cast<int>(accepted);
}

void connect(int fd, const sockaddr* address, socklen_t size, deadline until,
             std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::connect(fd, address, size, until, error);
  operation wanted(action::connect, fd);
  wanted.address = const_cast<sockaddr*>(address);
  wanted.connect_size = size;
  perform(wanted, until);
  count_or_error(wanted.result, error);
}

std::size_t recv(int fd, std::span<std::byte> into, deadline until, std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::recv(fd, into, until, error);
  operation wanted(action::recv, fd);
  wanted.into = into;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

std::size_t send(int fd, std::span<const std::byte> bytes, deadline until, std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::send(fd, bytes, until, error);
  operation wanted(action::send, fd);
  wanted.out = bytes;
  return send_rest(wanted, until, error);
}

std::size_t send_some(int fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::send_some(fd, buffers, until, error);
  return perform_message(action::send_message, fd, buffers, until, error);
}

std::size_t recv_some(int fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::recv_some(fd, buffers, until, error);
  return perform_message(action::recv_message, fd, buffers, until, error);
}

std::size_t send_then_recv(int fd, std::span<const std::byte> out, std::span<std::byte> into,
                           deadline until, std::error_code& error) {
  if (reactor_here() == nullptr) {
    return thread_calls::send_then_recv(fd, out, into, until, error);
  }
  // The kernel takes less than 2 GiB at once, and says that it was all.
  constexpr std::size_t together_max = std::size_t{1} << 30;
  if (out.empty() || out.size() > together_max) {
    if (!out.empty()) send(fd, out, until, error);
    return !out.empty() && error ? 0 : recv(fd, into, until, error);
  }
  operation wanted(action::send_then_recv, fd);
  wanted.out = out;
  wanted.into = into;
  perform_once(wanted, until);
  const bool send_failed = wanted.result == -ECANCELED && wanted.send_result != 0;
  if (!send_failed && wanted.result != -EINTR) return count_or_error(wanted.result, error);
  if (send_failed && wanted.send_result < 0 && wanted.send_result != -EINTR) {
    return count_or_error(wanted.send_result, error);
  }
  // The send fell short, or a signal came between: the rest by itself, then the receive.
  const std::size_t sent =
      send_failed ? static_cast<std::size_t>(std::max(wanted.send_result, 0)) : out.size();
  send(fd, out.subspan(sent), until, error);
  return error ? 0 : recv(fd, into, until, error);
}

std::size_t read(int fd, std::span<std::byte> into, std::int64_t offset, deadline until,
                 std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::read(fd, into, offset, until, error);
  operation wanted(action::read, fd);
  wanted.into = into;
  wanted.offset = offset;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

std::size_t write(int fd, std::span<const std::byte> bytes, std::int64_t offset, deadline until,
                  std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::write(fd, bytes, offset, until, error);
  operation wanted(action::write, fd);
  wanted.out = bytes;
  wanted.offset = offset;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

void sleep_until(deadline until) {
  if (reactor_here() == nullptr) return thread_calls::sleep_until(until);
  operation wanted(action::sleep);
  perform_once(wanted, until);
}

}  // namespace umcg::io

namespace umcg {

void sleep_until(deadline until) { io::sleep_until(until); }

}  // namespace umcg
