// SPDX-License-Identifier: MIT

// Several threads at one listener: stop() ends accepting, whoever accepts and whenever it comes,
// and deadlines hold when two meet at one connection.

#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "unit/net/call_filter.hpp"
#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using namespace loopback;

const endpoint any_port = parse_endpoint("127.0.0.1:0");

// Threads that accept from one listener until it reports an error.
class accepters {
 public:
  accepters(listener& from, std::size_t count) : ids_(count), errors_(count) {
    for (std::size_t index = 0; index < count; ++index) {
      threads_.emplace_back([&, index] {
        ids_[index] = ::gettid();
        while (!errors_[index]) {
          if (from.accept(patience(), errors_[index]).is_open()) ++accepted_;
        }
      });
    }
  }

  void wait_until_all_wait() {
    for (const std::atomic<int>& id : ids_) {
      while (id == 0) std::this_thread::yield();
      wait_until_asleep(id);
    }
  }

  // What ended each of them.
  const std::vector<std::error_code>& join() {
    for (std::thread& thread : threads_) thread.join();
    return errors_;
  }

  std::size_t accepted() const { return accepted_; }

 private:
  std::vector<std::atomic<int>> ids_;
  std::vector<std::error_code> errors_;
  std::atomic<std::size_t> accepted_{0};
  std::vector<std::thread> threads_;
};

TEST(ListenerStop, WakesEveryAccepter) {
  listener stopping = listener::bind(any_port);
  accepters waiting(stopping, 8);
  waiting.wait_until_all_wait();
  stopping.stop();
  for (const std::error_code& error : waiting.join()) {
    EXPECT_EQ(error, asio::error::operation_aborted);
  }
}

TEST(ListenerStop, WakesAnAccepterWithoutDeadline) {
  listener stopping = listener::bind(any_port);
  std::atomic<int> id{0};
  std::error_code error;
  std::thread waiting([&] {
    id = ::gettid();
    stopping.accept(deadline::never(), error);
  });
  while (id == 0) std::this_thread::yield();
  wait_until_asleep(id);
  stopping.stop();
  waiting.join();
  EXPECT_EQ(error, asio::error::operation_aborted);
}

TEST(ListenerStop, EndsWhatComesLaterAndMayBeRepeated) {
  listener stopped = listener::bind(any_port);
  stopped.stop();
  stopped.stop();
  std::error_code error;
  EXPECT_FALSE(stopped.accept(patience(), error).is_open());
  EXPECT_EQ(error, asio::error::operation_aborted);
  error.clear();
  stopped.accept(deadline::never(), error);
  EXPECT_EQ(error, asio::error::operation_aborted);
  error.clear();
  stopped.accept(long_ago(), error);
  EXPECT_EQ(error, asio::error::operation_aborted);
}

TEST(ListenerStop, RefusesNewPeersAndResetsQueuedOnes) {
  listener stopping = listener::bind(any_port);
  const endpoint where = stopping.local_endpoint();
  stream queued = stream::connect(where, patience());
  stopping.stop();
  std::error_code error;
  stream::connect(where, patience(), error);
  EXPECT_EQ(error, asio::error::connection_refused);
  std::array<char, 1> text;
  queued.expires_at(patience());
  queued.read_some(asio::buffer(text), error);
  EXPECT_EQ(error, asio::error::connection_reset);
  // The endpoint is free again, also while the stopped listener is still there.
  listener::bind(where, {}, error);
  EXPECT_FALSE(error) << error.message();
}

// Under load: every connection that was accepted or refused is accounted for, and all accepters
// end.
TEST(ListenerStop, WhilePeersConnect) {
  for (int round = 0; round < 20; ++round) {
    listener stopping = listener::bind(any_port);
    accepters busy(stopping, 4);
    std::error_code error;
    std::size_t connected = 0;
    std::thread peer([&] {
      while (!error) {
        if (stream::connect(stopping.local_endpoint(), patience(), error).is_open()) ++connected;
      }
    });
    const deadline limit = patience();
    while (busy.accepted() < 5 && !limit.passed()) std::this_thread::yield();
    EXPECT_GE(busy.accepted(), 5u);
    stopping.stop();
    peer.join();
    for (const std::error_code& ended : busy.join()) {
      EXPECT_EQ(ended, asio::error::operation_aborted);
    }
    EXPECT_LE(busy.accepted(), connected + 1);
    EXPECT_TRUE(error == asio::error::connection_refused || error == asio::error::connection_reset)
        << error.message();
  }
}

// One thread has seen a connection and is about to accept it. Another one comes and must not take
// it away, or the first would block in accept(2), whatever its deadline.
TEST(AcceptDeadline, HoldsForThoseWhoMeetAtOneConnection) {
  listener shared = listener::bind(any_port);
  const stream client = stream::connect(shared.local_endpoint(), patience());
  base::unique_fd holding;
  std::atomic<bool> ready{false};
  stream first;
  std::thread first_thread([&] {
    holding = call_filter::hold({SYS_accept4, static_cast<std::uint32_t>(shared.native_handle())});
    ready = true;
    std::error_code error;
    if (holding) first = shared.accept(long_ago(), error);
  });
  while (!ready) std::this_thread::yield();
  seccomp_notif held;
  if (!holding || !call_filter::wait_for_held(holding, held, 20'000)) {
    holding.reset();
    first_thread.join();
    GTEST_SKIP() << "the kernel does not hold system calls for us";
  }

  std::atomic<int> second_id{0};
  std::atomic<bool> second_ended{false};
  std::error_code error;
  std::thread second_thread([&] {
    second_id = ::gettid();
    shared.accept(long_ago(), error);
    second_ended = true;
  });
  while (second_id == 0) std::this_thread::yield();
  while (!second_ended && !asleep(second_id)) std::this_thread::yield();
  EXPECT_FALSE(second_ended) << "it did not wait for its turn";
  call_filter::let_go(holding, held);
  second_thread.join();
  EXPECT_EQ(error, asio::error::timed_out);
  // Frees the first if the second has robbed it.
  if (testing::Test::HasFailure()) shared.stop();
  first_thread.join();
  EXPECT_TRUE(first.is_open());
}

}  // namespace
}  // namespace umcg::net
