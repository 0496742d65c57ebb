// SPDX-License-Identifier: MIT

// Workers of one server over a reactor and a simulated kernel, in virtual time. Who plays the case
// is a worker too: in the simulation nothing is locked. When that one sleeps, all others run until
// they are blocked, for time goes on only then.

#include <optional>
#include <set>

#include <gtest/gtest.h>

#include "contract/reactor_stage.hpp"
#include "io/epoll_reactor.hpp"
#include "io/uring_reactor.hpp"
#include "kernel/select.hpp"
#include "sched/server_group.hpp"
#include "simulation/epoll.hpp"
#include "simulation/uring.hpp"

namespace umcg::contract {
namespace {

using simulation::network;
using std::chrono::milliseconds;

constexpr unsigned seeds = 20;
// Longer than it takes for what has been sent to arrive and be heard of.
constexpr milliseconds arrival_duration(20);

class simulated_stage final : public reactor_stage {
 public:
  simulated_stage(network& over, sched::server_group& servers)
      : network_(over), servers_(servers), serials_(over.chance(500)) {}
  // What the case has left open.
  ~simulated_stage() override {
    for (const int fd : std::set(kept_)) close(fd);
  }

  void start(body work) override {
    ++at_work_;
    std::error_code error;
    worker made = servers_.spawn(
        [this, calls = std::move(work)]() mutable {
          calls();
          --at_work_;
        },
        {}, error);
    EXPECT_FALSE(error) << error.message();
    made.detach();
  }
  void join() override {
    const deadline end = patience();
    while (at_work_ != 0 && !passed(end)) let_pass(milliseconds(1));
    if (at_work_ == 0) return;
    std::fprintf(stderr, "a call does not end\n");
    std::abort();
  }
  void settle() override { let_pass(arrival_duration); }

  deadline::clock::time_point now() override { return network_.now(); }
  std::chrono::nanoseconds lateness_max() const override { return milliseconds(10); }

  connection connect_pair() override {
    const auto ends = network_.make_reliable_pair();
    return {name(keep(ends[0])), keep(ends[1])};
  }
  connection connect_narrow_pair() override { return connect_pair(); }
  std::size_t much() const override { return 40'000; }
  connection connect_full_pair() override {
    const connection made = connect_pair();
    const std::vector<std::byte> bytes(4096);
    while (network_.send(*network_.find(made.here), bytes) > 0) continue;
    settle();
    return made;
  }
  int make_socket() override { return keep(network_.make_socket()); }
  io::descriptor listen() override { return name(keep(network_.listen())); }
  sockaddr_in address_of(int fd) override { return network::address_of(*network_.find(fd)); }
  sockaddr_in deaf_address() override { return network_.deaf_address(); }
  int connect_to(const sockaddr_in& address) override {
    const int made = make_socket();
    EXPECT_EQ(network_.connect(network_.find(made), address.sin_port), -EINPROGRESS);
    settle();
    return made;
  }

  void put(int fd, std::string_view bytes) override {
    EXPECT_EQ(network_.send(*network_.find(fd), std::as_bytes(std::span(bytes))),
              static_cast<int>(bytes.size()));
    settle();
  }
  std::vector<std::byte> take(int fd, std::size_t size) override {
    std::vector<std::byte> taken(size);
    std::size_t count = 0;
    const deadline end = patience();
    while (count < size && !passed(end)) {
      const int more = network_.recv(*network_.find(fd), std::span(taken).subspan(count));
      if (more == -EAGAIN) {
        let_pass(milliseconds(1));
        continue;
      }
      if (more <= 0) break;
      count += static_cast<std::size_t>(more);
    }
    taken.resize(count);
    return taken;
  }
  void finish(int fd) override {
    network_.shut_down(*network_.find(fd));
    settle();
  }
  void shut_down(int fd) override { finish(fd); }
  void close(int fd) override { end(fd, false); }
  void reset(int fd) override { end(fd, true); }

 private:
  void let_pass(std::chrono::nanoseconds duration) {
    std::error_code error;
    io::sleep_until(deadline(now() + duration), error);
    EXPECT_FALSE(error) << error.message();
  }
  int keep(int fd) {
    kept_.insert(fd);
    return fd;
  }
  io::descriptor name(int fd) const { return {fd, serials_ ? io::new_serial() : 0}; }
  void end(int fd, bool by_reset) {
    kept_.erase(fd);
    network_.close(fd, by_reset);
    settle();
  }

  network& network_;
  sched::server_group& servers_;
  const bool serials_;
  std::set<int> kept_;
  int at_work_ = 0;
};

template <class Kernel, class Look>
void play_once(unsigned seed, io::made_reactor (*make)(Kernel&), reactor_case play, bool in_sight,
               Look left) {
  const kernel::choice half = kernel::select_half("auto");
  half.half->configure({.watch = "off"});  // no worker goes on beside its server
  network over(seed,
               {.reset = 0, .lost = 0, .short_count = 0, .nothing_yet = in_sight ? 0U : 100U});
  Kernel under(over);
  io::made_reactor reactor = make(under);
  ASSERT_NE(reactor.made, nullptr) << reactor.reason;
  std::vector<std::unique_ptr<sched::event_source>> sources;
  sources.push_back(std::move(reactor.made));
  sched::server_group servers(*half.half, {256 * 1024, 0});
  ASSERT_FALSE(servers.start(std::move(sources)));
  std::error_code error;
  worker player = servers.spawn(
      [&] {
        {
          simulated_stage on(over, servers);
          play(on);
        }
        EXPECT_EQ(left(under), 0u) << "operations or registrations are left";
      },
      {}, error);
  ASSERT_FALSE(error) << error.message();
  player.join();
  servers.stop();
  EXPECT_EQ(over.open(), 0u) << "descriptors are left";
}

template <class Kernel, class Look>
void play_on_seeds(io::made_reactor (*make)(Kernel&), reactor_case play, bool in_sight, Look left) {
  for (unsigned seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    play_once<Kernel>(seed, make, play, in_sight, left);
    if (::testing::Test::HasFailure()) std::printf("seed %u\n", seed);
  }
}

}  // namespace

void play_on_simulated_io_uring(reactor_case play, bool in_sight) {
  using simulation::uring;
  play_on_seeds<uring>([](uring& under) { return io::uring_reactor::make(under); }, play, in_sight,
                       [](uring& under) { return under.pending(); });
}

void play_on_simulated_epoll(reactor_case play, bool in_sight) {
  using simulation::epoll;
  play_on_seeds<epoll>([](epoll& under) { return io::epoll_reactor::make(under); }, play, in_sight,
                       [](epoll& under) { return under.registered(); });
}

}  // namespace umcg::contract
