// SPDX-License-Identifier: MIT
// The blocking calls on a worker: an operation for the reactor of its server. On a plain thread:
// thread_calls.
#include "io/operations.hpp"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include <asio/error.hpp>

#include "base/assert.hpp"
#include "io/perform.hpp"
#include "io/reactor.hpp"
#include "io/thread_calls.hpp"
#include "libumcg/scheduling.hpp"
#include "libumcg/wait_note.hpp"
#include "sched/bounds.hpp"
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

wait_reason reason_of(const operation& wanted) noexcept {
  switch (wanted.what) {
    case action::sleep:
      return wait_reason::sleep;
    case action::accept:
      return wait_reason::accept;
    case action::connect:
      return wait_reason::connect;
    case action::recv:
    case action::recv_message:
      return wait_reason::receive;
    case action::send:
    case action::send_message:
      return wait_reason::send;
    case action::send_then_recv:
      return wait_reason::send_then_receive;
    case action::read:
    case action::read_vector:
      return wait_reason::read;
    case action::write:
    case action::write_vector:
      return wait_reason::write;
    case action::poll:
      return (wanted.events & POLLOUT) != 0 ? wait_reason::send : wait_reason::readable;
    case action::open:
    case action::sync:
    case action::status:
    case action::rename:
    case action::remove:
    case action::make_directory:
      return wait_reason::file;
  }
  return wait_reason::other;
}

// In a cancellation scope. A function of its own, for every call that waits would be deeper in its
// worker's stack by what only this one needs, and a page of stack is a third of what an idle
// connection has.
[[gnu::noinline]] void perform_interruptibly(operation& wanted, deadline until,
                                             sched::wait_slot& slot) noexcept {
  reactor& at = *reactor_here();
  interruption self(wanted, at);
  slot.offer(self);
  if (sched::cancelled_here()) {
    wanted.under_way = false;
    wanted.result = -ECANCELED;
  } else {
    at.perform(wanted, until);
  }
  if (!slot.withdraw(self)) self.wait_until_free();
}

// The reactor is looked up anew each time, and inside library code: elsewhere the worker may be
// stopped at any point and go on at another server.
void perform_once(operation& wanted, deadline own) noexcept {
  libumcg::task* const self = libumcg::current_task;
  const libumcg::preempt_guard guard(self);
  const deadline until = sched::bounded(own);
  const libumcg::noted_wait note(self, {.reason = reason_of(wanted),
                                        .subject = static_cast<std::uintptr_t>(wanted.fd),
                                        .until = until});
  wanted.under_way = true;
  if (sched::wait_slot* slot = sched::slot_here()) {
    perform_interruptibly(wanted, until, *slot);
  } else {
    reactor_here()->perform(wanted, until);
  }
  UMCG_ASSERT(!wanted.under_way);
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

msghdr message_of(std::span<const iovec> buffers) noexcept {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(buffers.data());
  message.msg_iovlen = buffers.size();
  return message;
}

}  // namespace

void perform(operation& wanted, deadline until) noexcept {
  do {
    perform_once(wanted, until);
  } while (wanted.result == -EINTR);
}

std::uint64_t new_serial() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1) + 1;
}

int accept(descriptor fd, peer_address& peer, deadline until, std::error_code& error) {
  if (reactor_here() == nullptr)
    return thread_calls::accept(fd, peer, sched::bounded(until), error);
  operation wanted(action::accept, fd, fd.serial);
  peer.size = sizeof peer.storage;
  wanted.address = reinterpret_cast<sockaddr*>(&peer.storage);
  wanted.address_size = &peer.size;
  perform(wanted, until);
  const std::size_t accepted = count_or_error(wanted.result, error);
  return error ? -1 : static_cast<int>(accepted);
}

void connect(descriptor fd, const sockaddr* address, socklen_t size, deadline until,
             std::error_code& error) {
  if (reactor_here() == nullptr)
    return thread_calls::connect(fd, address, size, sched::bounded(until), error);
  operation wanted(action::connect, fd, fd.serial);
  wanted.address = const_cast<sockaddr*>(address);
  wanted.connect_size = size;
  perform(wanted, until);
  count_or_error(wanted.result, error);
}

std::size_t recv(descriptor fd, std::span<std::byte> into, deadline until, std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::recv(fd, into, sched::bounded(until), error);
  operation wanted(action::recv, fd, fd.serial);
  wanted.into = into;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

std::size_t send(descriptor fd, std::span<const std::byte> bytes, deadline until,
                 std::error_code& error) {
  if (reactor_here() == nullptr) return thread_calls::send(fd, bytes, sched::bounded(until), error);
  operation wanted(action::send, fd, fd.serial);
  wanted.out = bytes;
  return send_rest(wanted, until, error);
}

std::size_t send_some(descriptor fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error) {
  return send_message(fd, message_of(buffers), until, error);
}

std::size_t recv_some(descriptor fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error) {
  msghdr message = message_of(buffers);
  return recv_message(fd, message, 0, until, error);
}

std::size_t recv_message(descriptor fd, msghdr& message, int flags, deadline until,
                         std::error_code& error) {
  if (reactor_here() == nullptr) {
    return thread_calls::recv_message(fd, message, flags, sched::bounded(until), error);
  }
  operation wanted(action::recv_message, fd, fd.serial);
  wanted.message = &message;
  wanted.message_flags = flags;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

std::size_t send_message(descriptor fd, const msghdr& message, deadline until,
                         std::error_code& error) {
  if (reactor_here() == nullptr)
    return thread_calls::send_message(fd, message, sched::bounded(until), error);
  operation wanted(action::send_message, fd, fd.serial);
  wanted.message = const_cast<msghdr*>(&message);
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

void wait_until_ready(descriptor fd, short events, deadline until, std::error_code& error) {
  if (reactor_here() == nullptr)
    return thread_calls::wait_until_ready(fd, events, sched::bounded(until), error);
  operation wanted(action::poll, fd, fd.serial);
  wanted.events = events;
  perform(wanted, until);
  count_or_error(wanted.result, error);
}

std::size_t send_then_recv(descriptor fd, std::span<const std::byte> out, std::span<std::byte> into,
                           deadline until, std::error_code& error) {
  exchange_buffers both{out, into};
  return exchange(fd, both, until, error);
}

namespace {

std::size_t one_after_the_other(descriptor fd, exchange_buffers& both, deadline until,
                                std::error_code& error) {
  if (!both.out.empty()) send(fd, both.out, until, error);
  both.sent = both.out.empty() || !error;
  return both.sent ? recv(fd, both.into, until, error) : 0;
}

}  // namespace

std::size_t exchange(descriptor fd, exchange_buffers& both, deadline until,
                     std::error_code& error) {
  if (reactor_here() == nullptr) {
    return thread_calls::exchange(fd, both, sched::bounded(until), error);
  }
  // The kernel takes less than 2 GiB at once, and says that it was all.
  constexpr std::size_t together_max = std::size_t{1} << 30;
  if (both.out.empty() || both.out.size() > together_max) {
    return one_after_the_other(fd, both, until, error);
  }
  operation wanted(action::send_then_recv, fd, fd.serial);
  wanted.out = both.out;
  wanted.into = both.into;
  perform_once(wanted, until);
  both.sent = wanted.begun;
  const bool send_failed = wanted.result == -ECANCELED && wanted.send_result != 0;
  if (!send_failed && wanted.result != -EINTR) return count_or_error(wanted.result, error);
  if (send_failed && wanted.send_result < 0 && wanted.send_result != -EINTR) {
    return count_or_error(wanted.send_result, error);
  }
  // The send fell short, or a signal came between: the rest by itself, then the receive.
  const std::size_t sent =
      send_failed ? static_cast<std::size_t>(std::max(wanted.send_result, 0)) : both.out.size();
  send(fd, both.out.subspan(sent), until, error);
  both.sent = !error;
  return error ? 0 : recv(fd, both.into, until, error);
}

std::size_t read(descriptor fd, std::span<std::byte> into, std::int64_t offset, deadline until,
                 std::error_code& error) {
  if (reactor_here() == nullptr)
    return thread_calls::read(fd, into, offset, sched::bounded(until), error);
  operation wanted(action::read, fd, fd.serial);
  wanted.into = into;
  wanted.offset = offset;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

std::size_t write(descriptor fd, std::span<const std::byte> bytes, std::int64_t offset,
                  deadline until, std::error_code& error) {
  if (reactor_here() == nullptr)
    return thread_calls::write(fd, bytes, offset, sched::bounded(until), error);
  operation wanted(action::write, fd, fd.serial);
  wanted.out = bytes;
  wanted.offset = offset;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

std::size_t read_some(descriptor fd, std::span<const iovec> buffers, std::int64_t offset,
                      deadline until, std::error_code& error) {
  if (reactor_here() == nullptr)
    return thread_calls::read_some(fd, buffers, offset, sched::bounded(until), error);
  operation wanted(action::read_vector, fd, fd.serial);
  wanted.buffers = buffers;
  wanted.offset = offset;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

std::size_t write_some(descriptor fd, std::span<const iovec> buffers, std::int64_t offset,
                       deadline until, std::error_code& error) {
  if (reactor_here() == nullptr)
    return thread_calls::write_some(fd, buffers, offset, sched::bounded(until), error);
  operation wanted(action::write_vector, fd, fd.serial);
  wanted.buffers = buffers;
  wanted.offset = offset;
  perform(wanted, until);
  return count_or_error(wanted.result, error);
}

void sleep_until(deadline until, std::error_code& error) {
  if (reactor_here() == nullptr) {
    thread_calls::sleep_until(sched::bounded(until), error);
  } else {
    operation wanted(action::sleep);
    perform_once(wanted, until);
    count_or_error(wanted.result, error);
  }
  if (!error && sched::bounded(until) < until && !until.passed()) error = make_error(ETIMEDOUT);
}

}  // namespace umcg::io

namespace umcg {

void sleep_until(deadline until, std::error_code& error) {
  io::sleep_until(until, error);
  if (error == std::errc::timed_out) error = asio::error::timed_out;
  if (error == std::errc::operation_canceled) error = asio::error::operation_aborted;
}

void sleep_until(deadline until) {
  std::error_code error;
  io::sleep_until(until, error);
  if (error) sched::report_scope_end(until);
}

}  // namespace umcg
