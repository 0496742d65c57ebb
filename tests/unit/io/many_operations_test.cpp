// SPDX-License-Identifier: MIT

// Many operations at once on few reactors: more than the rings have entries, waiting in thousands,
// ending all together; and workers that change servers between their operations.

#include <sys/resource.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "io/operations.hpp"
#include "libumcg/task.hpp"
#include "umcg/group.hpp"
#include "unit/io/reactor_test.hpp"
#include "unit/io/sockets.hpp"

namespace umcg::io {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::becomes_true;
using testing::patience;
using testing::unique_fd;

// ThreadSanitizer ends the program when it sees more than 8,128 threads at once.
constexpr int workers_allowed(int wanted) {
  return testing::thread_sanitizer ? std::min(wanted, 6000) : wanted;
}

class many_operations : public testing::reactor_test {};

INSTANTIATE_TEST_SUITE_P(over, many_operations, testing::all_reactors(), testing::reactor_name);

// In the order of their deadlines, whatever the order in which they began, and none of them early.
TEST_P(many_operations, sleepers_wake_in_order) {
  constexpr int sleepers = 5000;
  constexpr microseconds apart(100);  // further than one tick of the timers
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::vector<int> numbers(sleepers);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::shuffle(numbers.begin(), numbers.end(), std::minstd_rand(seed));

  group on = start({.servers = 1});
  std::vector<int> order;
  int early = 0;
  std::vector<worker> workers;
  // Far enough that all are asleep before the first wakes.
  const deadline::clock::time_point first = deadline::clock::now() + std::chrono::seconds(2);
  for (const int number : numbers) {
    workers.push_back(on.spawn([&, number] {
      const deadline until(first + number * apart);
      umcg::sleep_until(until);
      if (!until.passed()) ++early;
      order.push_back(number);
    }));
  }
  const bool all_asleep = deadline::clock::now() < first;
  workers.clear();
  EXPECT_EQ(early, 0);
  if (!all_asleep) GTEST_SKIP() << "spawning took longer than 2 s: the order says nothing";
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end())) << "seed " << seed;
}

// Deadlines more than a second away are left to a timeout in the ring: a nearer one that comes up
// later, one that is near, and another far one after the timeout has passed all end their sleeps.
TEST_P(many_operations, far_and_near_deadlines_pass_in_order) {
  group on = start({.servers = 1});
  const deadline::clock::time_point begin = deadline::clock::now();
  std::vector<int> order;
  std::vector<worker> sleepers;
  const auto start_sleeper = [&](std::vector<int> until_ms) {
    sleepers.push_back(on.spawn([&order, begin, until_ms] {
      for (const int after_ms : until_ms) {
        const deadline until(begin + std::chrono::milliseconds(after_ms));
        umcg::sleep_until(until);
        EXPECT_TRUE(until.passed()) << "early at " << after_ms << " ms";
        order.push_back(after_ms);
      }
    }));
  };
  start_sleeper({2000, 3500});
  start_sleeper({1500});
  start_sleeper({50, 1250});
  sleepers.clear();
  EXPECT_EQ(order, (std::vector{50, 1250, 1500, 2000, 3500}));
}

// As many descriptors as this process may have, less some for other things.
int descriptors_left(int wanted) {
  rlimit limit{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  return static_cast<int>(std::min<rlim_t>(static_cast<rlim_t>(wanted), limit.rlim_cur - 100));
}

// A datagram socket with a name of the kernel's choice, so that one sender reaches all of them.
struct named_socket {
  named_socket() : fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address.sun_family = AF_UNIX;
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  }

  unique_fd fd;
  sockaddr_un address{};
  socklen_t size = sizeof address;
};

TEST_P(many_operations, ten_thousand_wait_on_one_server) {
  const int wanted = descriptors_left(workers_allowed(10'000));
  if (wanted < 10'000) {
    std::printf("%d instead of 10,000: a limit on descriptors or threads\n", wanted);
  }
  group on = start({.servers = 1});
  std::vector<std::unique_ptr<named_socket>> sockets;
  for (int i = 0; i < wanted; ++i) sockets.push_back(std::make_unique<named_socket>());
  std::atomic<int> waiting = 0;
  std::atomic<int> received = 0;
  for (int i = 0; i < wanted; ++i) {
    on.spawn([&, i, fd = sockets[static_cast<std::size_t>(i)]->fd.get()] {
        ++waiting;
        int number = -1;
        std::error_code error;
        // A deadline too: it is armed and taken back ten thousand times.
        recv(fd, std::as_writable_bytes(std::span(&number, 1)), patience(), error);
        EXPECT_FALSE(error) << error.message();
        EXPECT_EQ(number, i);
        ++received;
      }).detach();
  }
  ASSERT_TRUE(becomes_true([&] { return waiting == wanted; }));
  EXPECT_EQ(received, 0);
  const unique_fd sender(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (int i = wanted - 1; i >= 0; --i) {
    named_socket& to = *sockets[static_cast<std::size_t>(i)];
    EXPECT_EQ(
        ::sendto(sender.get(), &i, sizeof i, 0, reinterpret_cast<sockaddr*>(&to.address), to.size),
        static_cast<ssize_t>(sizeof i));
  }
  on.stop();
  EXPECT_EQ(received, wanted);
}

// All at once, each with two cancellations: more than the submission queue has entries (4,096).
TEST_P(many_operations, deadlines_that_pass_together_end_all) {
  constexpr int wanted = 5000;
  group on = start({.servers = 1});
  const testing::fd_pair ends = testing::tcp_pair();
  testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
  const std::vector<std::byte> flood(std::size_t{8} << 20);
  std::atomic<int> timed_out = 0;
  const deadline at_once = deadline::after(std::chrono::seconds(1));
  for (int i = 0; i < wanted; ++i) {
    on.spawn([&, size = i == 0 ? flood.size() : 1] {
        std::array<std::byte, 16> into{};
        std::error_code error;
        send_then_recv(ends.here.get(), std::span(flood).first(size), into, at_once, error);
        EXPECT_EQ(error, std::errc::timed_out) << error.message();
        EXPECT_TRUE(at_once.passed());
        ++timed_out;
      }).detach();
  }
  on.stop();
  EXPECT_EQ(timed_out, wanted);
}

// They end by one event, while the server does not look: more completions than the completion queue
// has room for (16,384).
TEST_P(many_operations, completions_beyond_the_queue_are_not_lost) {
  constexpr int wanted = 17'000;
  if (workers_allowed(wanted) < wanted) GTEST_SKIP() << "ThreadSanitizer allows 8,128 threads";
  group on = start({.servers = 1, .stack_size_bytes = 64 * 1024});
  testing::fd_pair ends = testing::unix_pair();
  std::atomic<int> waiting = 0;
  std::atomic<int> ended = 0;
  for (int i = 0; i < wanted; ++i) {
    on.spawn([&] {
        ++waiting;
        std::byte byte;
        std::error_code error;
        EXPECT_EQ(recv(ends.here.get(), {&byte, 1}, deadline::never(), error), 0u);
        EXPECT_FALSE(error) << error.message();
        ++ended;
      }).detach();
  }
  ASSERT_TRUE(becomes_true([&] { return waiting == wanted; }));
  ends.there.reset();
  on.stop();
  EXPECT_EQ(ended, wanted);
}

// A worker that shares its server with one that never lets go is taken over by the other server.
// Its next operation goes to that server's reactor, and so on, back and forth.
TEST_P(many_operations, follow_a_worker_from_server_to_server) {
  constexpr int moves_wanted = 20;
  group on = start({.servers = 2});
  const testing::fd_pair ends = testing::unix_pair();
  int moved = 0;
  on.spawn([&] {
      const pthread_t self = pthread_self();
      const deadline until = patience();
      // Not each try is a move: the hog may be the one that the other server takes.
      for (int number = 0; moved < moves_wanted && !until.passed(); ++number) {
        const libumcg::task* const before = libumcg::current_task->server;
        std::atomic<bool> over = false;
        const worker hog = on.spawn([&over] {
          while (!over) ::sched_yield();
        });
        yield();
        if (libumcg::current_task->server != before) ++moved;
        std::error_code error;
        int seen = -1;
        send(ends.there.get(), std::as_bytes(std::span(&number, 1)), patience(), error);
        EXPECT_FALSE(error) << error.message();
        recv(ends.here.get(), std::as_writable_bytes(std::span(&seen, 1)), patience(), error);
        EXPECT_FALSE(error) << error.message();
        EXPECT_EQ(seen, number);
        umcg::sleep_until(deadline::after(microseconds(100)));
        EXPECT_TRUE(pthread_equal(self, pthread_self()));
        over = true;
      }
    }).join();
  EXPECT_EQ(moved, moves_wanted);
}

// Many conversations between workers of several servers: every byte at its place.
TEST_P(many_operations, conversations_across_servers_keep_their_bytes) {
  constexpr int pairs = 100;
  constexpr std::uint32_t rounds = 200;
  group on = start({.servers = 4});
  std::vector<testing::fd_pair> sockets;
  for (int i = 0; i < pairs; ++i) sockets.push_back(testing::unix_pair());
  for (std::uint32_t i = 0; i < pairs; ++i) {
    on.spawn([&, i] {  // asks
        std::error_code error;
        for (std::uint32_t round = 0; round < rounds && !error; ++round) {
          const std::uint32_t question = i << 16 | round;
          std::uint32_t answer = 0;
          send_then_recv(sockets[i].here.get(), std::as_bytes(std::span(&question, 1)),
                         std::as_writable_bytes(std::span(&answer, 1)), patience(), error);
          EXPECT_EQ(answer, ~question) << error.message();
        }
        sockets[i].here.reset();
      })
        .detach();
    on.spawn([&, i] {  // answers
        std::error_code error;
        for (std::uint32_t question = 0;;) {
          const int fd = sockets[i].there.get();
          const auto bytes = std::as_writable_bytes(std::span(&question, 1));
          if (recv(fd, bytes, patience(), error) == 0) break;
          question = ~question;
          send(fd, bytes, patience(), error);
        }
        EXPECT_FALSE(error) << error.message();
      })
        .detach();
  }
  on.stop();
}

}  // namespace
}  // namespace umcg::io
