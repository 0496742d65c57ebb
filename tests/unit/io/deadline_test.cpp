// SPDX-License-Identifier: MIT

// Deadlines of the blocking calls, at every site: a call that waits ends at its deadline and not
// before, leaves nothing behind that would touch its caller's memory or eat the peer's bytes, and
// one that need not wait succeeds even when its deadline has passed.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <functional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "io/operations.hpp"
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
using testing::unique_fd;

constexpr std::byte untouched{0xa5};

class deadlines : public testing::site_test {
 protected:
  deadlines() { into_.fill(untouched); }

  std::span<std::byte> into() { return into_; }
  std::string received(std::size_t count) const { return text_of(std::span(into_).first(count)); }
  bool buffer_untouched() const {
    return std::all_of(into_.begin(), into_.end(), [](std::byte at) { return at == untouched; });
  }

  // The call that is made with a deadline soon times out, neither early nor without end.
  void expect_timed_out(const std::function<void(deadline)>& call) {
    site().run([&] {
      const deadline until = soon();
      call(until);
      EXPECT_EQ(error, std::errc::timed_out);
      EXPECT_EQ(error.category(), std::system_category());
      EXPECT_TRUE(until.passed()) << "too early";
      error.clear();
      call(long_ago());
      EXPECT_EQ(error, std::errc::timed_out);
    });
  }

  std::error_code error;

 private:
  std::array<std::byte, 64> into_;
};

INSTANTIATE_TEST_SUITE_P(at, deadlines, testing::all_sites(), testing::site_name);

TEST_P(deadlines, end_recv_which_leaves_buffer_and_bytes_alone) {
  const testing::fd_pair ends = testing::tcp_pair();
  expect_timed_out(
      [&](deadline until) { EXPECT_EQ(recv(ends.here.get(), into(), until, error), 0u); });
  testing::put(ends.there.get(), "late");
  site().run([&] {
    std::array<std::byte, 16> other{};
    EXPECT_EQ(recv(ends.here.get(), other, patience(), error), 4u);
    EXPECT_EQ(text_of(std::span(other).first(4)), "late");
  });
  EXPECT_TRUE(buffer_untouched());
}

TEST_P(deadlines, end_recv_some) {
  const testing::fd_pair ends = testing::tcp_pair();
  const iovec buffer{into().data(), into().size()};
  expect_timed_out([&](deadline until) {
    EXPECT_EQ(recv_some(ends.here.get(), {&buffer, 1}, until, error), 0u);
  });
  testing::put(ends.there.get(), "late");
  EXPECT_EQ(text_of(testing::take(ends.here.get(), 4)), "late");
  EXPECT_TRUE(buffer_untouched());
}

TEST_P(deadlines, end_accept_which_leaves_the_connection_to_the_next) {
  testing::tcp_listener listening;
  peer_address peer{};
  expect_timed_out(
      [&](deadline until) { EXPECT_EQ(accept(listening.fd.get(), peer, until, error), -1); });
  const unique_fd client = listening.connected();
  site().run([&] {
    const unique_fd server(accept(listening.fd.get(), peer, patience(), error));
    EXPECT_TRUE(server);
    EXPECT_FALSE(error);
  });
}

TEST_P(deadlines, end_connect) {
  testing::tcp_listener full(0);
  // The queue takes one more than it says; then the kernel does not answer.
  const unique_fd first = full.connected();
  expect_timed_out([&](deadline until) {
    const unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connect(client.get(), testing::plain(full.address), sizeof full.address, until, error);
  });
}

TEST_P(deadlines, end_read_from_a_pipe) {
  const testing::fd_pair ends = testing::pipe_pair();
  expect_timed_out(
      [&](deadline until) { EXPECT_EQ(read(ends.here.get(), into(), -1, until, error), 0u); });
  testing::put(ends.there.get(), "late");
  EXPECT_EQ(text_of(testing::take(ends.here.get(), 4)), "late");
  EXPECT_TRUE(buffer_untouched());
}

TEST_P(deadlines, end_write_to_a_full_pipe) {
  const testing::fd_pair ends = testing::pipe_pair();
  const auto size = static_cast<std::size_t>(::fcntl(ends.there.get(), F_GETPIPE_SZ));
  testing::put(ends.there.get(), std::string(size, 'x'));
  expect_timed_out([&](deadline until) {
    EXPECT_EQ(write(ends.there.get(), bytes_of("late"), -1, until, error), 0u);
  });
  testing::take(ends.here.get(), size);
  int left = -1;
  EXPECT_EQ(::ioctl(ends.here.get(), FIONREAD, &left), 0);
  EXPECT_EQ(left, 0);
}

// It says how much has left, and that much has.
TEST_P(deadlines, end_send_which_counts_what_left) {
  const testing::fd_pair ends = testing::tcp_pair();
  testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
  const auto bytes = testing::numbered_bytes(std::size_t{16} << 20);
  std::size_t sent = 0;
  expect_timed_out([&](deadline until) {
    sent += send(ends.here.get(), std::span(bytes).subspan(sent), until, error);
  });
  EXPECT_GT(sent, 0u);
  EXPECT_LT(sent, bytes.size());
  EXPECT_EQ(::shutdown(ends.here.get(), SHUT_WR), 0);
  const auto arrived = testing::take(ends.there.get(), bytes.size());
  EXPECT_EQ(arrived.size(), sent);
  EXPECT_TRUE(std::equal(arrived.begin(), arrived.end(), bytes.begin()));
}

TEST_P(deadlines, end_send_some) {
  const testing::fd_pair ends = testing::tcp_pair();
  testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
  std::string bytes(std::size_t{1} << 20, 'x');
  const iovec buffer{bytes.data(), bytes.size()};
  site().run([&] {
    const deadline until = soon();
    while (!error) send_some(ends.here.get(), {&buffer, 1}, until, error);
    EXPECT_EQ(error, std::errc::timed_out);
    EXPECT_TRUE(until.passed());
  });
}

TEST_P(deadlines, that_have_passed_do_not_keep_a_call_from_what_is_there) {
  const testing::fd_pair ends = testing::tcp_pair();
  testing::tcp_listener listening;
  const unique_fd client = listening.connected();
  site().run([&] {
    testing::put(ends.there.get(), "there");
    EXPECT_EQ(recv(ends.here.get(), into(), long_ago(), error), 5u);
    EXPECT_EQ(received(5), "there");
    EXPECT_EQ(send(ends.here.get(), bytes_of("back"), long_ago(), error), 4u);
    EXPECT_FALSE(error);
    EXPECT_EQ(text_of(testing::take(ends.there.get(), 4)), "back");
    testing::put(ends.there.get(), "again");
    EXPECT_EQ(send_then_recv(ends.here.get(), bytes_of("x"), into(), long_ago(), error), 5u);
    EXPECT_EQ(received(5), "again");
    peer_address peer{};
    const unique_fd server(accept(listening.fd.get(), peer, long_ago(), error));
    EXPECT_TRUE(server);
    EXPECT_FALSE(error);
  });
}

TEST_P(deadlines, end_send_then_recv_while_it_receives) {
  const testing::fd_pair ends = testing::tcp_pair();
  site().run([&] {
    const deadline until = soon();
    EXPECT_EQ(send_then_recv(ends.here.get(), bytes_of("question"), into(), until, error), 0u);
    EXPECT_EQ(error, std::errc::timed_out);
    EXPECT_TRUE(until.passed());
  });
  EXPECT_EQ(text_of(testing::take(ends.there.get(), 8)), "question");
  testing::put(ends.there.get(), "late");
  EXPECT_EQ(text_of(testing::take(ends.here.get(), 4)), "late");
  EXPECT_TRUE(buffer_untouched());
}

// The receive, which has not begun, must not begin afterwards.
TEST_P(deadlines, end_send_then_recv_while_it_sends) {
  const testing::fd_pair ends = testing::tcp_pair();
  testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
  const auto bytes = testing::numbered_bytes(std::size_t{16} << 20);
  expect_timed_out([&](deadline until) {
    EXPECT_EQ(send_then_recv(ends.here.get(), bytes, into(), until, error), 0u);
  });
  testing::put(ends.there.get(), "late");
  EXPECT_EQ(text_of(testing::take(ends.here.get(), 4)), "late");
  EXPECT_TRUE(buffer_untouched());
}

// Bytes and deadlines come at about the same time, again and again. Whichever wins, each byte is
// received once, in order, and only into the buffer of a call that says so.
TEST_P(deadlines, race_with_bytes_and_lose_none) {
  constexpr int wanted = 4000;
  const testing::fd_pair ends = testing::unix_pair();
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::atomic<int> taken = 0;
  int late = 0;
  site().start([&] {
    std::minstd_rand random(seed);
    while (taken < wanted) {
      std::byte byte = untouched;
      const deadline until = deadline::after(microseconds(random() % 200));
      const std::size_t count = recv(ends.here.get(), {&byte, 1}, until, error);
      if (count == 0) {
        ++late;
        EXPECT_EQ(error, std::errc::timed_out);
        EXPECT_EQ(byte, untouched);
      } else {
        EXPECT_EQ(byte, static_cast<std::byte>(taken % 100));
        ++taken;
      }
      if (::testing::Test::HasFailure()) return;
    }
  });
  // Each byte is sent when the one before has been taken, and then a random moment later.
  std::minstd_rand random(seed + 1);
  for (int number = 0; number < wanted && !HasFailure(); ++number) {
    const deadline moment = deadline::after(microseconds(random() % 200));
    while (taken < number && !HasFailure()) std::this_thread::yield();
    while (!moment.passed()) std::this_thread::yield();
    const char byte = static_cast<char>(number % 100);
    EXPECT_EQ(::send(ends.there.get(), &byte, 1, MSG_NOSIGNAL), 1);
  }
  site().join();
  std::printf("%d of %d calls timed out; seed %u\n", late, late + taken, seed);
  site().join();
}

}  // namespace
}  // namespace umcg::io
