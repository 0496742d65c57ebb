// SPDX-License-Identifier: MIT

// Waiting for signals, at every site.

#include "umcg/os/signal.hpp"

#include <unistd.h>

#include <array>
#include <atomic>

#include <asio/error.hpp>
#include <gtest/gtest.h>

#include "umcg/cancellation.hpp"
#include "umcg/deadline_scope.hpp"
#include "unit/io/call_site.hpp"

namespace umcg::os {
namespace {

// Before there is any thread.
const blocked_signals blocked({SIGUSR1, SIGUSR2, SIGHUP});

class signals : public testing::site_test {
 protected:
  // To the process: kill(2) would prefer the thread that calls it, which blocks it like the others.
  static void send(int signal) { EXPECT_EQ(::kill(::getpid(), signal), 0); }

  std::error_code error = std::make_error_code(std::errc::io_error);
};

INSTANTIATE_TEST_SUITE_P(at, signals, testing::all_sites(), testing::site_name);

TEST(signal_set, has_what_was_added) {
  signal_set some({SIGHUP, -1, 1000});
  EXPECT_TRUE(some.contains(SIGHUP));
  EXPECT_FALSE(some.contains(SIGINT));
  EXPECT_FALSE(some.contains(-1));
  some.add(SIGINT);
  EXPECT_TRUE(some.contains(SIGINT));
}

TEST_P(signals, that_came_before_are_taken) {
  send(SIGUSR1);
  site().run([&] {
    const received_signal got = wait_for_signal({SIGUSR1, SIGUSR2}, testing::patience(), error);
    EXPECT_FALSE(error) << error.message();
    EXPECT_EQ(got.number, SIGUSR1);
    EXPECT_EQ(got.sender, ::getpid());
    EXPECT_EQ(got.sender_user, ::getuid());
    wait_for_signal({SIGUSR1, SIGUSR2}, testing::long_ago(), error);
    EXPECT_EQ(error, asio::error::timed_out);
  });
}

TEST_P(signals, that_come_later_are_waited_for) {
  std::atomic<int> got = 0;
  site().start([&] { got = wait_for_signal({SIGUSR1, SIGUSR2}).number; });
  site().wait_until_blocked();
  EXPECT_EQ(got, 0);
  send(SIGUSR2);
  site().join();
  EXPECT_EQ(got, SIGUSR2);
}

TEST_P(signals, go_to_one_of_those_who_wait) {
  std::atomic<int> first = 0;
  std::atomic<int> second = 0;
  site().start([&] { first = wait_for_signal({SIGUSR1, SIGHUP}).number; });
  site().start([&] { second = wait_for_signal({SIGUSR2, SIGHUP}).number; });
  site().wait_until_blocked();
  send(SIGHUP);
  EXPECT_TRUE(testing::becomes_true([&] { return first != 0 || second != 0; }));
  send(first == 0 ? SIGUSR1 : SIGUSR2);
  site().join();
  EXPECT_EQ((first == SIGHUP ? 1 : 0) + (second == SIGHUP ? 1 : 0), 1);
}

TEST_P(signals, are_not_waited_for_beyond_the_deadline) {
  site().run([&] {
    const deadline until = testing::soon();
    wait_for_signal({SIGUSR1}, until, error);
    EXPECT_EQ(error, asio::error::timed_out);
    EXPECT_TRUE(until.passed());
    const deadline_scope scope(testing::soon());
    EXPECT_THROW(wait_for_signal({SIGUSR1}), std::system_error);
  });
}

TEST_P(signals, are_no_longer_waited_for_when_that_is_cancelled) {
  cancellation_source source;
  site().start([&] {
    const cancellation_scope scope(source.token());
    wait_for_signal({SIGUSR1}, deadline::never(), error);
  });
  site().wait_until_blocked();
  source.cancel();
  site().join();
  EXPECT_EQ(error, asio::error::operation_aborted);
}

TEST_P(signals, that_are_not_blocked_would_strike) {
  site().run([&] {
    wait_for_signal({SIGUSR1, SIGRTMAX}, testing::patience(), error);
    EXPECT_EQ(error, asio::error::invalid_argument);
  });
}

}  // namespace
}  // namespace umcg::os
