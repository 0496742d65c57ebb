// SPDX-License-Identifier: MIT

// Workers that block their kernel threads while their server goes on: the hand-off.
#include "umcg/blocking_region.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "io/operations.hpp"
#include "sanitizer.hpp"
#include "unit/sched/byte_pipe.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

class blocking : public testing::group_test {};

TEST_F(blocking, LeavesTheOnlyServerToOthers) {
  const testing::byte_pipe silent;
  group running = group::start({.servers = 1});
  worker stuck = running.spawn([&silent] {
    const blocking_region region;
    silent.wait_for_byte();
  });
  for (int at = 0; at < 100; ++at) {
    running.spawn([] { sleep_until(deadline::after(std::chrono::microseconds(100))); }).join();
  }
  silent.send_bytes(1);
  stuck.join();
}

TEST_F(blocking, ManyAtOnceBehindOneServer) {
  constexpr int count = 200;
  const testing::byte_pipe silent;
  std::atomic<int> inside{0};
  group running = group::start({.servers = 1});
  std::vector<worker> stuck;
  for (int at = 0; at < count; ++at) {
    stuck.push_back(running.spawn([&] {
      const blocking_region region;
      ++inside;
      silent.wait_for_byte();
    }));
  }
  EXPECT_TRUE(testing::becomes_true([&] { return inside == count; }));
  silent.send_bytes(count);
}

thread_local int own_value = 0;

TEST_F(blocking, KeepsWhatIsTheThreadsOwn) {
  group running = group::start({.servers = 2});
  std::vector<worker> workers;
  for (int number = 1; number <= 20; ++number) {
    workers.push_back(running.spawn([number] {
      own_value = number;
      const pthread_t self = ::pthread_self();
      for (int round = 0; round < 50; ++round) {
        errno = number;
        {
          const blocking_region outer;
          const blocking_region inner;
          EXPECT_EQ(errno, number);
          std::this_thread::yield();
        }
        EXPECT_EQ(errno, number);
        yield();
        EXPECT_EQ(own_value, number);
        EXPECT_TRUE(::pthread_equal(self, ::pthread_self()));
      }
    }));
  }
}

TEST_F(blocking, EndsWithAnException) {
  group running = group::start({.servers = 1});
  running
      .spawn([] {
        try {
          const blocking_region region;
          throw std::runtime_error("inside");
        } catch (const std::runtime_error& caught) {
          yield();  // by the server again
          EXPECT_STREQ(caught.what(), "inside");
        }
      })
      .join();
}

TEST_F(blocking, MayEndWithTheBody) {
  group running = group::start({.servers = 1});
  for (int round = 0; round < 20; ++round) {
    running.spawn([] { umcg_block_begin(); }).join();
  }
  running.spawn([] {}).join();
}

TEST_F(blocking, MayCallTheLibrary) {
  group running = group::start({.servers = 1});
  running
      .spawn([&running] {
        worker other;
        {
          const blocking_region region;
          yield();
          other = running.spawn([] { yield(); });
          sleep_until(deadline::after(std::chrono::microseconds(10)));
          other.join();
        }
        yield();
      })
      .join();
}

TEST_F(blocking, HasNoEffectOnAPlainThread) {
  errno = 5;
  const blocking_region region;
  EXPECT_EQ(errno, 5);
}

// The reactor goes with its server: what was submitted from the kernel thread that is stuck now
// still completes, and what is submitted from the next one does.
TEST_F(blocking, TheReactorGoesOnElsewhere) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const base::unique_fd here(ends[0]);
  const base::unique_fd there(ends[1]);
  const testing::byte_pipe silent;
  group running = group::start({.servers = 1});
  const auto echo = [&] {
    std::error_code error;
    for (int round = 0; round < 3; ++round) {
      std::array<std::byte, 1> byte{};
      EXPECT_EQ(io::recv(there.get(), byte, deadline::never(), error), 1U) << error.message();
      EXPECT_EQ(io::send(there.get(), byte, deadline::never(), error), 1U) << error.message();
    }
  };
  worker echoing = running.spawn(echo);
  char byte = 'a';
  for (int round = 0; round < 3; ++round) {
    std::atomic<bool> inside{false};
    running
        .spawn([&] {
          const blocking_region region;
          inside = true;
          silent.wait_for_byte();
        })
        .detach();
    EXPECT_TRUE(testing::becomes_true([&] { return inside.load(); }));
    EXPECT_EQ(::send(here.get(), &byte, 1, 0), 1);
    EXPECT_EQ(::recv(here.get(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, 'a');
  }
  silent.send_bytes(3);
}

TEST_F(blocking, CarriersAreUsedAgain) {
  const std::size_t before = testing::kernel_threads();
  group running = group::start({.servers = 2});
  std::vector<worker> workers;
  for (int at = 0; at < 4; ++at) {
    workers.push_back(running.spawn([] {
      for (int round = 0; round < 1'000; ++round) {
        const blocking_region region;
      }
    }));
  }
  workers.clear();
  // A server's own, and for each worker at most one that has its server and one on its way.
  EXPECT_LE(testing::kernel_threads(), before + 2 + 2 * 4 + 2);
}

TEST_F(blocking, AChildOfForkHasCarriersOfItsOwn) {
  if (testing::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer allows no threads after fork";
  const auto go_round = [] {
    group running = group::start({.servers = 1});
    running.spawn([] { const blocking_region region; }).join();
    running.spawn([] { const blocking_region region; }).join();
  };
  go_round();
  const pid_t child = ::fork();
  if (child == 0) {
    go_round();
    ::_exit(7);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

}  // namespace
}  // namespace umcg
