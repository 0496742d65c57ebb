// SPDX-License-Identifier: MIT
#pragma once

// The kernel under an epoll reactor, simulated: an edge-triggered set over the network of
// network.hpp. Events come late or in parts, waits end early, and a registration lives as long as
// its number means the file that it was made for.

#include <map>
#include <memory>
#include <span>

#include "io/epoll_kernel.hpp"
#include "simulation/bell.hpp"
#include "simulation/network.hpp"

namespace umcg::simulation {

class epoll final : public io::epoll_kernel {
 public:
  explicit epoll(network& over) : network_(over) {}

  time_point now() noexcept override { return network_.now(); }

  int create_set() noexcept override { return set_number; }
  int control(int set, int what, int fd, std::uint32_t events,
              std::uint64_t data) noexcept override;
  int wait(int set, std::span<epoll_event> into, deadline until) noexcept override;
  int create_bell() noexcept override { return bell_number; }
  void ring_bell(int) noexcept override { bell_.ring(); }
  void close(int) noexcept override {}

  int recv(int fd, std::span<std::byte> into) noexcept override;
  int send(int fd, std::span<const std::byte> bytes) noexcept override;
  int poll(int fd, short events) noexcept override;
  int recv_message(int fd, msghdr& message, int flags) noexcept override;
  int send_message(int fd, const msghdr& message) noexcept override;
  bool is_tcp(int) noexcept override { return true; }
  int make_non_blocking(int fd) noexcept override { return network_.find(fd) ? 0 : -EBADF; }
  int accept(int fd, sockaddr* address, socklen_t* size) noexcept override;
  int connect(int fd, const sockaddr* address, socklen_t size) noexcept override;
  int outcome_of_connect(int fd) noexcept override;

  // There are no files in the simulation.
  int read(int, std::span<const iovec>, std::int64_t) noexcept override { return -EBADF; }
  int write(int, std::span<const iovec>, std::int64_t) noexcept override { return -EBADF; }
  bool is_regular_file(int) noexcept override { return false; }

  // How many of the registrations are of descriptors that are open.
  std::size_t registered() const;

 private:
  // Numbers that no descriptor of the simulation has.
  static constexpr int set_number = 1'000'000;
  static constexpr int bell_number = 1'000'001;

  struct registration {
    std::weak_ptr<end_point> of;
    std::uint32_t events;
    std::uint64_t data;
    bool ready = false;
  };

  bool is_current(int fd, const registration& of) const;
  registration* find(int fd);
  int add(int fd, std::uint32_t events, std::uint64_t data);
  int harvest(std::span<epoll_event> into);

  network& network_;
  bell bell_;
  std::uint32_t bell_events_ = 0;
  std::uint64_t bell_data_ = 0;
  std::map<int, registration> registrations_;  // by descriptor
  int watchers_made_ = 0;
};

}  // namespace umcg::simulation
