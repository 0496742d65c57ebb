// SPDX-License-Identifier: MIT

// Deadline and cancellation scopes around the blocking calls, at every site: each ends what waits,
// leaves nothing behind that would touch its caller's memory or eat the peer's bytes, and costs no
// descriptor afterwards.

#include "umcg/cancellation.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <vector>

#include <asio/error.hpp>
#include <gtest/gtest.h>

#include "io/operations.hpp"
#include "umcg/blocking_region.hpp"
#include "umcg/deadline_scope.hpp"
#include "umcg/net/stream.hpp"
#include "umcg/sync.hpp"
#include "unit/io/call_site.hpp"
#include "unit/io/sockets.hpp"

namespace umcg::io {
namespace {

using std::chrono::microseconds;
using testing::bytes_of;
using testing::long_ago;
using testing::patience;
using testing::soon;
using testing::text_of;

class scopes : public testing::site_test {};
INSTANTIATE_TEST_SUITE_P(all, scopes, testing::all_sites(), testing::site_name);

// Descriptors on which every call has to wait, and the calls.
class places {
 public:
  places() {
    testing::set_buffer_sizes(full_.here.get(), 4096);
    const std::vector<std::byte> bytes(4096);
    while (::send(full_.here.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
    }
    big_.resize(8 << 20);
  }

  using call = std::function<void(deadline, std::error_code&)>;
  std::vector<call> calls() {
    return {
        [this](deadline until, std::error_code& error) {
          std::array<std::byte, 16> into{};
          recv(silent_.here.get(), into, until, error);
        },
        [this](deadline until, std::error_code& error) {
          std::array<std::byte, 16> into{};
          const std::array<iovec, 1> list{{{into.data(), into.size()}}};
          recv_some(silent_.here.get(), list, until, error);
        },
        [this](deadline until, std::error_code& error) {
          std::array<std::byte, 16> into{};
          send_then_recv(silent_.here.get(), bytes_of("x"), into, until, error);
        },
        [this](deadline until, std::error_code& error) {
          std::array<std::byte, 16> into{};
          send_then_recv(full_.here.get(), big_, into, until, error);
        },
        [this](deadline until, std::error_code& error) {
          send(full_.here.get(), big_, until, error);
        },
        [this](deadline until, std::error_code& error) {
          const std::array<iovec, 1> list{{{big_.data(), big_.size()}}};
          send_some(full_.here.get(), list, until, error);
        },
        [this](deadline until, std::error_code& error) {
          peer_address peer;
          accept(listener_.fd.get(), peer, until, error);
        },
        [this](deadline until, std::error_code& error) {
          std::array<std::byte, 16> into{};
          read(pipe_.here.get(), into, -1, until, error);
        },
        [this](deadline until, std::error_code& error) {
          wait_until_ready(silent_.here.get(), POLLIN, until, error);
        },
        [this](deadline until, std::error_code& error) {
          wait_until_ready(full_.here.get(), POLLOUT, until, error);
        },
        [this](deadline until, std::error_code& error) {
          std::array<std::byte, 16> into{};
          const std::array<iovec, 1> list{{{into.data(), into.size()}}};
          read_some(pipe_.here.get(), list, -1, until, error);
        },
        [](deadline until, std::error_code& error) { io::sleep_until(until, error); },
    };
  }

 private:
  testing::fd_pair silent_ = testing::unix_pair();
  testing::fd_pair full_ = testing::unix_pair();
  testing::fd_pair pipe_ = testing::pipe_pair();
  testing::tcp_listener listener_;
  std::vector<std::byte> big_;
};

TEST_P(scopes, deadlines_bound_every_call) {
  places all;
  for (const auto& call : all.calls()) {
    site().run([&call] {
      const deadline until = soon();
      const deadline_scope bounded(until);
      std::error_code error;
      call(deadline::never(), error);
      EXPECT_EQ(error, std::errc::timed_out);
      EXPECT_TRUE(until.passed());
      call(patience(), error);
      EXPECT_EQ(error, std::errc::timed_out);
    });
  }
}

TEST_P(scopes, cancelling_ends_every_call) {
  places all;
  for (const auto& call : all.calls()) {
    cancellation_source source;
    site().start([&] {
      const cancellation_scope scope(source.token());
      std::error_code error;
      call(deadline::never(), error);
      EXPECT_EQ(error, std::errc::operation_canceled);
      call(patience(), error);
      EXPECT_EQ(error, std::errc::operation_canceled);
    });
    site().wait_until_blocked();
    source.cancel();
    site().join();
  }
}

TEST_P(scopes, cancelling_ends_calls_in_blocking_regions) {
  places all;
  for (const auto& call : all.calls()) {
    cancellation_source source;
    sync::event begun;
    site().start([&] {
      const cancellation_scope scope(source.token());
      const blocking_region region;
      begun.set();
      std::error_code error;
      call(deadline::never(), error);
      EXPECT_EQ(error, std::errc::operation_canceled);
    });
    begun.wait();
    source.cancel();
    site().join();
  }
}

TEST_P(scopes, that_are_not_cancelled_change_nothing) {
  site().run([] {
    const deadline_scope bounded(patience());
    const cancellation_source source;
    const cancellation_scope scope(source.token());
    const testing::fd_pair pair = testing::unix_pair();
    std::error_code error;
    std::array<std::byte, 16> into{};
    EXPECT_EQ(send(pair.here.get(), bytes_of("hello"), deadline::never(), error), 5U);
    EXPECT_FALSE(error) << error.message();
    EXPECT_EQ(recv(pair.there.get(), into, deadline::never(), error), 5U);
    EXPECT_FALSE(error) << error.message();
    const deadline until = soon();
    io::sleep_until(until, error);
    EXPECT_FALSE(error) << error.message();
    EXPECT_TRUE(until.passed());
    recv(pair.there.get(), into, long_ago(), error);
    EXPECT_EQ(error, std::errc::timed_out);
  });
}

// The names that users of the net layer compare with.
TEST_P(scopes, are_told_in_asios_words) {
  cancellation_source source;
  source.cancel();
  site().run([&source] {
    testing::fd_pair pair = testing::tcp_pair();
    net::stream peer(pair.here.release());
    std::array<char, 16> into{};
    std::error_code error;
    {
      const cancellation_scope scope(source.token());
      peer.read_some(asio::buffer(into), error);
      EXPECT_EQ(error, asio::error::operation_aborted);
      umcg::sleep_until(patience(), error);
      EXPECT_EQ(error, asio::error::operation_aborted);
      EXPECT_THROW(umcg::sleep_until(patience()), std::system_error);
    }
    const deadline_scope bounded(soon());
    peer.read_some(asio::buffer(into), error);
    EXPECT_EQ(error, asio::error::timed_out);
    umcg::sleep_until(patience(), error);
    EXPECT_EQ(error, asio::error::timed_out);
    EXPECT_THROW(umcg::sleep_until(patience()), std::system_error);
    umcg::sleep_until(long_ago());
  });
}

// Bytes come, deadlines pass and cancellers cancel at about the same time: every byte is received
// once, by a call that says so, and no operation is left behind in the frames of calls that ended.
TEST_P(scopes, cancelling_races_with_completions_and_deadlines) {
  const int rounds = 2000 / testing::slowness;
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  constexpr int receivers = 4;
  sync::channel<cancellation_source> to_cancel(2);
  sync::wait_group receiving(receivers);
  std::atomic<long> cancelled = 0;
  std::atomic<long> received = 0;
  for (unsigned i = 0; i < receivers; ++i) {
    site().start([&, i] {
      std::mt19937 random(seed + i);
      const testing::fd_pair pair = testing::unix_pair();
      long on_the_way = 0;
      for (int round = 0; round < rounds; ++round) {
        const cancellation_source source;
        to_cancel.send(source);
        if (on_the_way < 32 && random() % 2 == 0) {
          testing::put(pair.there.get(), "x");
          ++on_the_way;
        }
        const cancellation_scope scope(source.token());
        const deadline until =
            random() % 2 == 0 ? deadline::after(microseconds(random() % 50)) : deadline::never();
        std::error_code error;
        std::array<std::byte, 64> into{};
        const std::size_t count = recv(pair.here.get(), into, until, error);
        on_the_way -= static_cast<long>(count);
        received += static_cast<long>(count);
        if (error == std::errc::operation_canceled) ++cancelled;
        EXPECT_TRUE(!error || error == std::errc::timed_out ||
                    error == std::errc::operation_canceled)
            << error.message();
        EXPECT_EQ(count == 0, static_cast<bool>(error));
        if (random() % 4 == 0) io::sleep_until(until.is_never() ? long_ago() : until, error);
      }
      // No call that has ended takes what comes later.
      std::array<std::byte, 64> rest{};
      EXPECT_EQ(std::max<long>(::recv(pair.here.get(), rest.data(), rest.size(), MSG_DONTWAIT), 0),
                on_the_way);
      receiving.done();
    });
    site().start([&] {
      for (cancellation_source& each : to_cancel) {
        yield();
        each.cancel();
      }
    });
  }
  receiving.wait();
  to_cancel.close();
  site().join();
  EXPECT_GT(cancelled, 0);
  EXPECT_GT(received, 0);
}

}  // namespace
}  // namespace umcg::io
