// SPDX-License-Identifier: MIT

#include "http/stop_signal.hpp"

#include <unistd.h>

#include <thread>

#include <gtest/gtest.h>

namespace umcg::http {
namespace {

bool is_blocked(int signal) {
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, nullptr, &now);
  return sigismember(&now, signal) == 1;
}

class open_stop_signal : public ::testing::Test {
 protected:
  open_stop_signal() {
    std::error_code error;
    stopping.open(sighup::heard, error);
    EXPECT_FALSE(error);
  }
  blocked_signals blocked{sighup::heard};
  stop_signal stopping;
};

TEST_F(open_stop_signal, is_a_signal) {
  for (const int signal : {SIGTERM, SIGINT}) {
    ::kill(::getpid(), signal);
    EXPECT_EQ(stopping.wait(), stop_signal::reason::stop);
    sigset_t pending;
    sigpending(&pending);
    EXPECT_FALSE(sigismember(&pending, signal));
  }
}

TEST_F(open_stop_signal, is_told_from_a_hang_up) {
  ::kill(::getpid(), SIGHUP);
  EXPECT_EQ(stopping.wait(), stop_signal::reason::hang_up);
  ::kill(::getpid(), SIGHUP);
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(stopping.wait(), stop_signal::reason::stop);
}

TEST_F(open_stop_signal, is_a_call_of_another_thread) {
  std::thread other([this] { stopping.raise(); });
  stopping.wait();
  other.join();
}

TEST(stop_signal, may_be_raised_before_anybody_can_wait) {
  stop_signal stopping;
  stopping.raise();
  std::error_code error;
  stopping.open(sighup::ignored, error);
  EXPECT_EQ(stopping.wait(), stop_signal::reason::stop);
}

TEST(blocked_signals, are_blocked_while_it_lives) {
  EXPECT_FALSE(is_blocked(SIGTERM));
  {
    const blocked_signals blocked(sighup::ignored);
    EXPECT_FALSE(is_blocked(SIGHUP));
    EXPECT_TRUE(is_blocked(SIGTERM));
    EXPECT_TRUE(is_blocked(SIGINT));
  }
  EXPECT_FALSE(is_blocked(SIGTERM));
  EXPECT_FALSE(is_blocked(SIGINT));
}

}  // namespace
}  // namespace umcg::http
