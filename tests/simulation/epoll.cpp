// SPDX-License-Identifier: MIT
#include "simulation/epoll.hpp"

#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace umcg::simulation {

bool epoll::is_current(int fd, const registration& of) const {
  const auto file = of.of.lock();
  return file && network_.find(fd) == file;
}

// The kernel takes a file out of the set when it is closed.
epoll::registration* epoll::find(int fd) {
  const auto found = registrations_.find(fd);
  if (found == registrations_.end()) return nullptr;
  if (is_current(fd, found->second)) return &found->second;
  registrations_.erase(found);
  return nullptr;
}

std::size_t epoll::registered() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      registrations_, [this](const auto& each) { return is_current(each.first, each.second); }));
}

int epoll::add(int fd, std::uint32_t events, std::uint64_t data) {
  const auto of = network_.find(fd);
  if (!of) return -EBADF;
  const bool ready = (network::readiness(*of) & events) != 0;
  registrations_[fd] = {of, events, data, ready};
  of->watchers[++watchers_made_] = [this, fd, weak = std::weak_ptr(of)](std::uint32_t) {
    registration* const told = find(fd);
    if (told != nullptr && told->of.lock() == weak.lock()) told->ready = true;
  };
  return 0;
}

int epoll::control(int, int what, int fd, std::uint32_t events, std::uint64_t data) noexcept {
  if (fd == bell_number) {
    bell_events_ = events;
    bell_data_ = data;
    return 0;
  }
  registration* const found = find(fd);
  if (what == EPOLL_CTL_ADD) return found != nullptr ? -EEXIST : add(fd, events, data);
  if (!network_.find(fd)) return -EBADF;
  if (found == nullptr) return -ENOENT;
  if (what == EPOLL_CTL_DEL) {
    registrations_.erase(fd);
    return 0;
  }
  found->events = events;
  found->data = data;
  found->ready = (network::readiness(*network_.find(fd)) & events) != 0;
  return 0;
}

int epoll::harvest(std::span<epoll_event> into) {
  std::size_t count = 0;
  bool some_are_late = false;
  if (bell_.take()) {
    into[count].events = EPOLLIN;
    into[count++].data.u64 = bell_data_;
  }
  for (auto& [fd, each] : registrations_) {
    if (!each.ready || count == into.size() || !is_current(fd, each)) continue;
    if (network_.chance(network_.rates().nothing_yet)) {
      some_are_late = true;
      continue;
    }
    each.ready = false;
    const std::uint32_t events =
        network::readiness(*each.of.lock()) & (each.events | EPOLLHUP | EPOLLERR);
    if (events == 0) continue;
    into[count].events = events;
    into[count++].data.u64 = each.data;
  }
  if (some_are_late) network_.after(network_.some_delay(), [] {});
  return static_cast<int>(count);
}

int epoll::wait(int, std::span<epoll_event> into, deadline until) noexcept {
  if (until.when() == time_point::min()) {
    const time_point soon = now() + std::chrono::microseconds(10);
    while (network_.step(soon)) continue;
    return harvest(into);
  }
  if (network_.chance(10)) return -EINTR;
  for (;;) {
    if (const int count = harvest(into)) return count;
    if (network_.step(until.when())) continue;
    if (!until.is_never()) return harvest(into);
    bell_.wait();
  }
}

int epoll::recv(int fd, std::span<std::byte> into) noexcept {
  const auto from = network_.find(fd);
  return from ? network_.recv(*from, into) : -EBADF;
}

int epoll::send(int fd, std::span<const std::byte> bytes) noexcept {
  const auto by = network_.find(fd);
  return by ? network_.send(*by, bytes) : -EBADF;
}

int epoll::poll(int fd, short events) noexcept {
  const auto of = network_.find(fd);
  if (!of) return -EBADF;
  const int half_closed = (events & POLLIN) != 0 ? POLLRDHUP : 0;
  return static_cast<int>(network::readiness(*of)) & (events | half_closed | POLLHUP | POLLERR);
}

int epoll::recv_message(int fd, msghdr& message, int flags) noexcept {
  const auto from = network_.find(fd);
  return from ? network_.recv_message(*from, message, flags) : -EBADF;
}

int epoll::send_message(int fd, const msghdr& message) noexcept {
  const auto by = network_.find(fd);
  return by ? network_.send_message(*by, message) : -EBADF;
}

int epoll::accept(int fd, sockaddr* address, socklen_t* size) noexcept {
  const auto from = network_.find(fd);
  return from ? network_.accept(*from, address, size) : -EBADF;
}

int epoll::connect(int fd, const sockaddr* address, socklen_t) noexcept {
  const auto by = network_.find(fd);
  if (!by) return -EBADF;
  return network_.connect(by, reinterpret_cast<const sockaddr_in*>(address)->sin_port);
}

int epoll::outcome_of_connect(int fd) noexcept {
  const auto of = network_.find(fd);
  return of ? network::outcome_of_connect(*of) : -EBADF;
}

}  // namespace umcg::simulation
