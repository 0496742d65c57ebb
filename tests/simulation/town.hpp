// SPDX-License-Identifier: MIT
#pragma once

// What goes on over a simulated kernel: a service that echoes messages, clients that come and go,
// pairs that talk for ever, and sleepers; all of them workers of one real server. Each call that
// one of them makes is checked: it ends with a result or at its deadline, and bytes that arrive are
// those that were sent.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include "io/operations.hpp"
#include "sched/server_group.hpp"
#include "simulation/network.hpp"

namespace umcg::simulation {

struct tally {
  std::uint64_t calls = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t broken = 0;    // ended by the peer or the network
  std::uint64_t messages = 0;  // that came back whole
  std::uint64_t accepted = 0;
  std::uint64_t handoffs = 0;
};

class town {
 public:
  // Lives on `servers`, which has one server, for `lifetime` of virtual time.
  town(network& over, sched::server_group& servers, std::chrono::nanoseconds lifetime);

  // Returns when everybody has gone home.
  void live();

  const tally& counts() const { return counts_; }

 private:
  template <class Work>
  void spawn(Work work);
  void accept_connections();
  void serve(int fd);
  void visit();
  bool exchange(io::descriptor fd);
  void stop_reading(io::descriptor fd);
  void talk(int fd, bool begins);
  void sleep();
  void sleep_until(deadline until);
  void see_out_the_day();

  io::descriptor name(int fd);
  deadline soon();
  bool over() const { return network_.now() >= end_; }

  // A call under way.
  struct call {
    time_point begin;
    deadline until;
    std::shared_ptr<end_point> on;
    bool writes;
    std::uint64_t bytes_taken_before;
    std::size_t sends_first;  // so many bytes, and then reads
  };
  call begin(io::descriptor fd, bool writes, deadline until, std::size_t sends_first = 0) const;
  // Notes how it has ended; whether it has a result.
  bool check(const call& made, const std::error_code& error);
  void expect_nothing_was_there(const call& made) const;
  bool receive_all(io::descriptor fd, std::span<std::byte> into);
  bool send_all(io::descriptor fd, std::span<const std::byte> bytes, deadline until);

  network& network_;
  sched::server_group& servers_;
  const time_point end_;
  io::descriptor listener_;
  tally counts_;
  int at_work_ = 0;
};

}  // namespace umcg::simulation
