// SPDX-License-Identifier: MIT
#include "net/proxy_acceptor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include <asio/error.hpp>

#include "io/operations.hpp"
#include "sched/bounds.hpp"

namespace umcg::net {
namespace {

constexpr std::uint64_t listening_number = 0;

std::error_code system_error() { return {errno, std::system_category()}; }

bool watch(int set, int fd, std::uint64_t number) {
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLRDHUP;
  wanted.data.u64 = number;
  return ::epoll_ctl(set, EPOLL_CTL_ADD, fd, &wanted) == 0;
}

ssize_t receive_now(int fd, std::span<char> into, int flags) {
  ssize_t size = 0;
  do {
    size = ::recv(fd, into.data(), into.size(), MSG_DONTWAIT | flags);
  } while (size < 0 && errno == EINTR);
  return size;
}

}  // namespace

proxy_acceptor::proxy_acceptor(int listening, const proxy_protocol& expected,
                               std::error_code& error)
    : listening_(listening), expected_(expected), set_(::epoll_create1(EPOLL_CLOEXEC)) {
  const int flags = ::fcntl(listening, F_GETFL);
  const bool made = set_ && ::fcntl(listening, F_SETFL, flags | O_NONBLOCK) == 0 &&
                    watch(set_.get(), listening, listening_number);
  error = made ? std::error_code() : system_error();
}

bool proxy_acceptor::is_trusted(const sockaddr_storage& peer, socklen_t size) const {
  if (peer.ss_family == AF_UNIX) return true;
  endpoint from;
  if (size > from.capacity()) return false;
  std::copy_n(reinterpret_cast<const std::byte*>(&peer), size,
              reinterpret_cast<std::byte*>(from.data()));
  from.resize(size);
  return std::ranges::any_of(expected_.trusted, [&](const address_range& range) {
    return range.contains(from.address());
  });
}

stream proxy_acceptor::accept(deadline until, std::error_code& error) {
  const deadline end = sched::bounded(until);
  for (;;) {
    deadline due;
    {
      const std::lock_guard guard(mutex_);
      stream complete = find_complete(error);
      if (error || complete.is_open()) return complete;
      due = next_due();
    }
    io::wait_until_ready(set_.get(), POLLIN, std::min(end, due), error);
    const bool only_due = error == std::errc::timed_out && !end.passed();
    if (error && !only_due) return {};
  }
}

// Goes through what has happened. A closed stream without an error: nothing more has.
stream proxy_acceptor::find_complete(std::error_code& error) {
  for (;;) {
    drop_late();
    error.clear();
    std::array<epoll_event, 16> events;
    const int count = ::epoll_wait(set_.get(), events.data(), events.size(), 0);
    if (count <= 0) return {};
    // An event that is not looked at because an earlier one ends this stays in the set.
    for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(count))) {
      const bool shut = (event.events & EPOLLHUP) != 0;
      stream complete = event.data.u64 == listening_number ? accept_one(shut, error)
                                                           : read_header(event.data.u64);
      if (error || complete.is_open()) return complete;
    }
  }
}

// `shut`: the listening socket was shut down, which the kernel does not always say.
stream proxy_acceptor::accept_one(bool shut, std::error_code& error) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  base::unique_fd fd(
      ::accept4(listening_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
  if (!fd) {
    const bool nothing = (errno == EAGAIN && !shut) || errno == EINTR;
    if (nothing) return {};
    error = errno == EAGAIN ? std::error_code(EINVAL, std::system_category()) : system_error();
    return {};
  }
  if (is_trusted(peer, size)) {
    start_waiting(std::move(fd));
  } else if (expected_.others_pass) {
    return stream(fd.release());
  }
  return {};
}

// The header has mostly come, and is then seen by the next look at the set.
void proxy_acceptor::start_waiting(base::unique_fd fd) {
  if (waiting_.size() >= waiting_max) waiting_.erase(waiting_.begin());
  const std::uint64_t number = ++newcomers_;
  if (!watch(set_.get(), fd.get(), number)) return;
  waiting_.emplace(number, newcomer{std::move(fd), deadline::after(expected_.header_duration), {}});
}

// Looks at what has come before taking it: what follows the header is the user's.
stream proxy_acceptor::read_header(std::uint64_t number) {
  const auto found = waiting_.find(number);
  if (found == waiting_.end()) return {};
  newcomer& of = found->second;
  std::array<char, 2048> bytes;
  const ssize_t size = receive_now(of.fd.get(), bytes, MSG_PEEK);
  if (size < 0 && errno == EAGAIN) return {};
  proxy_header header;
  header_result result = {header_outcome::invalid, 0};
  std::size_t taken = 0;
  if (size > 0) {
    const std::size_t before = of.received.size();
    of.received.append(bytes.data(), static_cast<std::size_t>(size));
    result = parse_proxy_header(of.received, header);
    if (result.outcome == header_outcome::complete) of.received.resize(result.consumed);
    taken = of.received.size() - before;
  }
  const bool lost =
      result.outcome == header_outcome::invalid ||
      receive_now(of.fd.get(), std::span(bytes).first(taken), 0) != static_cast<ssize_t>(taken);
  stream complete;
  if (!lost && result.outcome == header_outcome::incomplete) return complete;
  if (!lost) {
    ::epoll_ctl(set_.get(), EPOLL_CTL_DEL, of.fd.get(), nullptr);
    complete = stream(of.fd.release());
    complete.announce(std::move(header));
  }
  waiting_.erase(found);
  return complete;
}

void proxy_acceptor::drop_late() {
  while (!waiting_.empty() && waiting_.begin()->second.until.passed()) {
    waiting_.erase(waiting_.begin());
  }
}

deadline proxy_acceptor::next_due() {
  return waiting_.empty() ? deadline::never() : waiting_.begin()->second.until;
}

}  // namespace umcg::net
