// SPDX-License-Identifier: MIT

// Deadlines at every site, of the calls on pipes: one that waits ends at its deadline and not
// before, and leaves nothing behind that would touch its caller's memory or eat the peer's bytes.
// And a race of deadlines with bytes. contract/reactor_ending.cpp has the calls on sockets.

#include <poll.h>

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
using testing::soon;
using testing::text_of;

constexpr std::byte untouched{0xa5};

class deadlines : public testing::site_test {
 protected:
  deadlines() { into_.fill(untouched); }

  std::span<std::byte> into() { return into_; }
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

TEST_P(deadlines, end_read_from_a_pipe) {
  const testing::fd_pair ends = testing::pipe_pair();
  expect_timed_out(
      [&](deadline until) { EXPECT_EQ(read(ends.here.get(), into(), -1, until, error), 0u); });
  testing::put(ends.there.get(), "late");
  EXPECT_EQ(text_of(testing::take(ends.here.get(), 4)), "late");
  EXPECT_TRUE(buffer_untouched());
}

TEST_P(deadlines, end_waits_for_what_could_be_read) {
  const testing::fd_pair ends = testing::pipe_pair();
  const iovec buffer{into().data(), into().size()};
  expect_timed_out([&](deadline until) {
    EXPECT_EQ(read_some(ends.here.get(), {&buffer, 1}, -1, until, error), 0u);
  });
  expect_timed_out(
      [&](deadline until) { wait_until_ready(ends.here.get(), POLLIN, until, error); });
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
  std::string late = "late";
  const iovec buffer{late.data(), late.size()};
  expect_timed_out([&](deadline until) {
    EXPECT_EQ(write_some(ends.there.get(), {&buffer, 1}, -1, until, error), 0u);
  });
  testing::take(ends.here.get(), size);
  int left = -1;
  EXPECT_EQ(::ioctl(ends.here.get(), FIONREAD, &left), 0);
  EXPECT_EQ(left, 0);
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
