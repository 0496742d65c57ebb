// SPDX-License-Identifier: MIT
#include "simulation/network.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace umcg::simulation {

// --- time ---

void network::at(time_point when, std::function<void()> what) {
  events_.push_back({std::max(when, now_), ++events_made_, std::move(what)});
  std::push_heap(events_.begin(), events_.end(), std::greater<>());
}

void network::after(std::chrono::nanoseconds delay, std::function<void()> what) {
  at(now_ + delay, std::move(what));
}

bool network::step(time_point until) {
  if (events_.empty() || events_.front().when > until) {
    if (until != time_point::max()) now_ = std::max(now_, until);
    return false;
  }
  now_ = events_.front().when;
  while (!events_.empty() && events_.front().when == now_) {
    std::pop_heap(events_.begin(), events_.end(), std::greater<>());
    const event next = std::move(events_.back());
    events_.pop_back();
    next.what();
  }
  return true;
}

// --- descriptors ---

int network::give_number(std::shared_ptr<end_point> to) {
  const auto free = std::ranges::find(descriptors_, nullptr);
  const auto number = free - descriptors_.begin();
  if (free == descriptors_.end()) {
    descriptors_.push_back(std::move(to));
  } else {
    *free = std::move(to);
  }
  return static_cast<int>(number);
}

int network::make_socket() { return give_number(std::make_shared<end_point>()); }

int network::listen() {
  auto made = std::make_shared<end_point>();
  made->listens = true;
  made->port = ++last_port_;
  listeners_[made->port] = made;
  return give_number(std::move(made));
}

std::array<int, 2> network::make_reliable_pair() {
  const auto one = std::make_shared<end_point>();
  const auto other = std::make_shared<end_point>();
  one->peer = other;
  other->peer = one;
  one->reliable = other->reliable = true;
  return {give_number(one), give_number(other)};
}

sockaddr_in network::address_of(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = port;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::shared_ptr<end_point> network::find(int fd) const {
  const auto at = static_cast<std::size_t>(fd);
  return fd >= 0 && at < descriptors_.size() ? descriptors_[at] : nullptr;
}

std::size_t network::open() const {
  return descriptors_.size() - static_cast<std::size_t>(std::ranges::count(descriptors_, nullptr));
}

// The kernel keeps a file for as long as an operation is under way on it; then only the number
// goes.
void network::close(int fd, bool by_reset) {
  const auto closing = find(fd);
  descriptors_[static_cast<std::size_t>(fd)] = nullptr;
  for (const auto& waiting : closing->queue) {
    if (const auto peer = waiting->peer.lock()) break_connection(*peer);
  }
  if (by_reset || !closing->arrived.empty()) {
    if (const auto peer = closing->peer.lock()) break_connection(*peer);
    closing->peer.reset();
  }
  shut_down(*closing);
}

void network::break_connection(end_point& of) {
  of.reset = true;
  of.arrived.clear();
  tell(of, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
}

void network::note(end_point& of) const {
  const std::uint32_t ready = readiness(of);
  const auto keep = [this](time_point& since, bool holds) {
    since = holds ? std::min(since, now_) : time_point::max();
  };
  keep(of.readable_since, (ready & (EPOLLIN | EPOLLRDHUP | EPOLLERR)) != 0);
  keep(of.writable_since, (ready & (EPOLLOUT | EPOLLERR)) != 0);
}

void network::tell(end_point& of, std::uint32_t events) const {
  note(of);
  const auto watchers = of.watchers;  // who is told may leave
  for (const auto& [number, told] : watchers) told(events);
}

std::uint32_t network::readiness(const end_point& of) {
  if (of.listens) {
    return (of.queue.empty() ? 0U : std::uint32_t{EPOLLIN}) |
           (of.finished ? std::uint32_t{EPOLLIN | EPOLLHUP} : 0U);
  }
  if (of.connecting) return 0;
  const auto peer = of.peer.lock();
  std::uint32_t events = 0;
  if (!of.arrived.empty()) events |= EPOLLIN;
  if (of.peer_finished) events |= EPOLLIN | EPOLLRDHUP;
  if (of.reset) events |= EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  if (!peer || peer->arrived.size() + peer->on_the_way < capacity) events |= EPOLLOUT;
  return events;
}

// --- calls ---

// Now and then there is nothing yet, or less than there will be; what tells of the rest comes
// later.
int network::recv(end_point& from, std::span<std::byte> into, bool look_only) {
  if (from.reset) return -ECONNRESET;
  if (from.arrived.empty()) return from.peer_finished ? 0 : -EAGAIN;
  const auto self = from.peer.lock() ? from.peer.lock()->peer.lock() : nullptr;
  const auto tell_later = [this, self] {
    if (self) after(some_delay(), [this, self] { tell(*self, readiness(*self)); });
  };
  if (self && chance(faults_.nothing_yet)) {
    tell_later();
    return -EAGAIN;
  }
  std::size_t count = std::min(into.size(), from.arrived.size());
  if (self && count > 1 && chance(faults_.short_count)) {
    count = 1 + below(count - 1);
    tell_later();
  }
  std::copy_n(from.arrived.begin(), count, into.begin());
  if (look_only) return static_cast<int>(count);
  from.arrived.erase(from.arrived.begin(),
                     from.arrived.begin() + static_cast<std::ptrdiff_t>(count));
  note(from);
  if (const auto peer = from.peer.lock()) {
    note(*peer);
    after(some_delay(), [this, peer] { tell(*peer, EPOLLOUT); });
  }
  return static_cast<int>(count);
}

int network::send(end_point& by, std::span<const std::byte> bytes) {
  if (by.reset) return -ECONNRESET;
  const auto peer = by.peer.lock();
  if (!peer || by.finished) return -EPIPE;
  const std::size_t taken = peer->arrived.size() + peer->on_the_way;
  if (taken >= capacity) return -EAGAIN;
  std::size_t count = std::min(bytes.size(), capacity - taken);
  if (count > 1 && chance(faults_.short_count)) count = 1 + below(count - 1);
  if (!by.reliable && chance(faults_.reset)) {
    after(some_delay(), [this, peer] {
      if (const auto other = peer->peer.lock()) break_connection(*other);
      break_connection(*peer);
    });
  }
  if (by.silent || (!by.reliable && chance(faults_.lost))) {
    by.silent = true;
  } else {
    deliver(peer, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)});
  }
  by.bytes_taken += count;
  note(by);
  return static_cast<int>(count);
}

int network::recv_message(end_point& from, const msghdr& message, int flags) {
  std::size_t size = 0;
  const std::span<const iovec> parts(message.msg_iov, message.msg_iovlen);
  for (const iovec& part : parts) size += part.iov_len;
  std::vector<std::byte> bytes(size);
  const int count = recv(from, bytes, (flags & MSG_PEEK) != 0);
  std::span<const std::byte> rest(bytes.data(), count < 0 ? 0 : static_cast<std::size_t>(count));
  for (const iovec& part : parts) {
    const auto taken = rest.first(std::min(part.iov_len, rest.size()));
    std::ranges::copy(taken, static_cast<std::byte*>(part.iov_base));
    rest = rest.subspan(taken.size());
  }
  return count;
}

int network::send_message(end_point& by, const msghdr& message) {
  std::vector<std::byte> bytes;
  for (const iovec& part : std::span<const iovec>(message.msg_iov, message.msg_iovlen)) {
    const auto* const start = static_cast<const std::byte*>(part.iov_base);
    bytes.insert(bytes.end(), start, start + part.iov_len);
  }
  return send(by, bytes);
}

void network::deliver(const std::shared_ptr<end_point>& to, std::vector<std::byte> bytes) {
  to->on_the_way += bytes.size();
  to->line_free_at = std::max(to->line_free_at, now_ + some_delay());
  at(to->line_free_at, [this, to, part = std::move(bytes)] {
    to->on_the_way -= part.size();
    if (to->reset) return;
    to->arrived.insert(to->arrived.end(), part.begin(), part.end());
    tell(*to, readiness(*to));
  });
}

void network::shut_down(end_point& of) {
  if (std::exchange(of.finished, true)) return;
  if (of.listens) return tell(of, readiness(of));
  const auto peer = of.peer.lock();
  if (!peer || of.silent) return;
  // Often together with the last bytes.
  const auto delay = chance(500) ? std::chrono::nanoseconds(0) : some_delay();
  peer->line_free_at = std::max(peer->line_free_at, now_ + delay);
  at(peer->line_free_at, [this, peer] {
    peer->peer_finished = true;
    tell(*peer, readiness(*peer));
  });
}

int network::accept(end_point& from, sockaddr* address, socklen_t* size) {
  if (from.finished) return -EINVAL;
  if (from.queue.empty()) return -EAGAIN;
  auto accepted = std::move(from.queue.front());
  from.queue.pop_front();
  note(from);
  const sockaddr_in peer = address_of(accepted->peer_port);
  std::memcpy(address, &peer, std::min<std::size_t>(*size, sizeof peer));
  *size = sizeof peer;
  return give_number(std::move(accepted));
}

int network::connect(const std::shared_ptr<end_point>& by, std::uint16_t port) {
  if (by->connecting) return -EALREADY;
  if (by->connected || by->reset) return outcome_of_connect(*by);
  by->connecting = true;
  by->port = ++last_port_;
  if (port == deaf_port_ || chance(faults_.lost)) return -EINPROGRESS;  // nobody answers
  after(some_delay(), [this, by, port] {
    by->connecting = false;
    const auto found = listeners_.find(port);
    const auto listening = found == listeners_.end() ? nullptr : found->second.lock();
    if (!listening || listening->finished) return break_connection(*by);
    const auto other = std::make_shared<end_point>();
    other->peer = by;
    other->port = port;
    other->peer_port = by->port;
    by->peer = other;
    by->connected = true;
    listening->queue.push_back(other);
    tell(*by, readiness(*by));
    tell(*listening, EPOLLIN);
  });
  return -EINPROGRESS;
}

int network::outcome_of_connect(end_point& of) { return of.reset ? -ECONNREFUSED : 0; }

}  // namespace umcg::simulation
