// SPDX-License-Identifier: MIT

// The kernel cancels what a thread has submitted that has ended: some kernels when it ends, others
// when what the operation waits for comes. The operations of an io_uring reactor go on
// nevertheless: here some of them are submitted by a thread that ends at once. This program puts
// itself between the reactor and liburing.

#include <dlfcn.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <liburing.h>

#include "io/operations.hpp"
#include "umcg/group.hpp"
#include "unit/io/sockets.hpp"
#include "unit/sched/group_test.hpp"

namespace {

// The next submission is made by a thread that ends.
std::atomic<bool> ends_next = false;
std::atomic<int> ended = 0;
std::atomic<int> cancellations_seen = 0;

template <class Function>
Function* next_definition(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int submit(io_uring* ring) {
  static auto* const really = next_definition<int(io_uring*)>("io_uring_submit");
  return really(ring);
}

void submit_on_a_thread_that_ends(io_uring* ring) {
  if (!ends_next) return;
  std::thread([ring] { submit(ring); }).join();
  ends_next = false;
  ++ended;
}

void count_cancellations(io_uring* ring) {
  unsigned head;
  io_uring_cqe* completion;
  io_uring_for_each_cqe(ring, head, completion) {
    if (completion->res == -ECANCELED) ++cancellations_seen;
  }
}

}  // namespace

extern "C" int io_uring_submit_and_wait(io_uring* ring, unsigned count) {
  static auto* const really = next_definition<int(io_uring*, unsigned)>("io_uring_submit_and_wait");
  submit_on_a_thread_that_ends(ring);
  const int result = really(ring, count);
  count_cancellations(ring);
  return result;
}

extern "C" int io_uring_submit_and_wait_timeout(io_uring* ring, io_uring_cqe** first,
                                                unsigned count, __kernel_timespec* limit,
                                                sigset_t* signals) {
  static auto* const really =
      next_definition<int(io_uring*, io_uring_cqe**, unsigned, __kernel_timespec*, sigset_t*)>(
          "io_uring_submit_and_wait_timeout");
  submit_on_a_thread_that_ends(ring);
  const int result = really(ring, first, count, limit, signals);
  count_cancellations(ring);
  return result;
}

namespace umcg::io {
namespace {

using testing::bytes_of;
using testing::patience;
using testing::soon;
using testing::text_of;
using testing::unique_fd;

class ending_thread : public testing::group_test {
 protected:
  void SetUp() override {
    const std::string missing = testing::why_no_group("io_uring");
    if (!missing.empty()) GTEST_SKIP() << missing;
    cancellations_seen = 0;
    on_.emplace(group::start({.servers = 1, .reactor = "io_uring"}));
  }

  // Runs `call`, whose operation is submitted by a thread that ends, and then `meanwhile`.
  template <class Call, class Meanwhile>
  void run(Call call, Meanwhile meanwhile) {
    const int before = ended;
    const worker calling = on_->spawn([&] {
      ends_next = true;
      call();
    });
    EXPECT_TRUE(testing::becomes_true([before] { return ended != before; }));
    meanwhile();
  }

  static void expect_cancelled() {
    EXPECT_GT(cancellations_seen, 0) << "the kernel has cancelled nothing: nothing was tested";
  }

  std::optional<group> on_;
  std::error_code error;
  std::array<std::byte, 64> into{};
};

TEST_F(ending_thread, leaves_a_receive_alone) {
  const testing::fd_pair ends = testing::tcp_pair();
  run([&] { EXPECT_EQ(recv(ends.here.get(), into, patience(), error), 4u) << error.message(); },
      [&] { testing::put(ends.there.get(), "late"); });
  expect_cancelled();
}

TEST_F(ending_thread, leaves_an_accept_alone) {
  testing::tcp_listener listening;
  peer_address peer{};
  unique_fd client;
  run(
      [&] {
        const unique_fd server(accept(listening.fd.get(), peer, patience(), error));
        EXPECT_TRUE(server) << error.message();
      },
      [&] { client = listening.connected(); });
  expect_cancelled();
}

// What was asked is asked once.
TEST_F(ending_thread, leaves_a_turn_around_alone) {
  const testing::fd_pair ends = testing::tcp_pair();
  run(
      [&] {
        EXPECT_EQ(send_then_recv(ends.here.get(), bytes_of("question"), into, patience(), error),
                  6u)
            << error.message();
        EXPECT_EQ(::shutdown(ends.here.get(), SHUT_WR), 0);
      },
      [&] {
        EXPECT_EQ(text_of(testing::take(ends.there.get(), 8)), "question");
        testing::put(ends.there.get(), "answer");
        EXPECT_EQ(testing::take(ends.there.get(), 100).size(), 0u) << "asked twice";
      });
  expect_cancelled();
}

// And so is what does not fit into the buffers: all of it arrives, once.
TEST_F(ending_thread, leaves_a_long_send_alone) {
  const testing::fd_pair ends = testing::tcp_pair();
  testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
  const auto bytes = testing::numbered_bytes((std::size_t{4} << 20) + 7);
  std::vector<std::byte> arrived;
  const worker calling = on_->spawn([&] {
    ends_next = true;
    EXPECT_EQ(send(ends.here.get(), bytes, patience(), error), bytes.size()) << error.message();
    EXPECT_EQ(::shutdown(ends.here.get(), SHUT_WR), 0);
  });
  arrived = testing::take(ends.there.get(), bytes.size() + 1);
  EXPECT_TRUE(arrived == bytes);
}

TEST_F(ending_thread, leaves_a_connect_alone) {
  testing::tcp_listener full(0);
  const unique_fd first = full.connected();
  unique_fd accepted;
  // A full queue: the kernel tries again after a second, and finds room.
  run(
      [&] {
        const unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        connect(client.get(), testing::plain(full.address), sizeof full.address, patience(), error);
        EXPECT_FALSE(error) << error.message();
        EXPECT_EQ(::send(client.get(), "x", 1, MSG_NOSIGNAL), 1) << "it is not connected";
      },
      [&] { accepted.reset(::accept4(full.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)); });
  expect_cancelled();
}

// Neither the reads with which a reactor listens for wakes from outside, nor its timeouts.
TEST_F(ending_thread, leaves_wakes_and_deadlines_alone) {
  for (int round = 0; round < 20; ++round) {
    run([&] { umcg::sleep_until(deadline::after(std::chrono::milliseconds(1))); }, [] {});
    on_->spawn([] {}).join();
  }
  run([&] { umcg::sleep_until(deadline::after(std::chrono::milliseconds(1100))); }, [] {});
}

}  // namespace
}  // namespace umcg::io
