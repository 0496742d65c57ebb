// SPDX-License-Identifier: MIT
#pragma once

// How long the tests of the sched and io layers wait for what should come and for what should not,
// and what makes one that waits for ever a failure instead of a stuck run.

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "sanitizer.hpp"
#include "umcg/deadline.hpp"

namespace umcg::testing {

// How many times slower than a release build a build with sanitizers may be.
inline constexpr int slowness = thread_sanitizer ? 8 : address_sanitizer ? 4 : 1;

// Long enough for the slowest machine.
inline constexpr std::chrono::seconds patience_duration(20 * slowness);
inline deadline patience() { return deadline::after(patience_duration); }

// Short enough to wait for, for what must not happen.
inline constexpr std::chrono::milliseconds soon_duration(30);
inline deadline soon() { return deadline::after(soon_duration); }

inline deadline long_ago() { return deadline::after(std::chrono::seconds(-1)); }

// Ends the program when the test that holds it is not over in time: a group cannot be stopped while
// one of its workers never ends, so there is no way on. Time in which the machine was suspended
// does not count. Costs one thread.
class hang_limit {
 public:
  static constexpr std::size_t threads = 1;
  static constexpr int seconds_max = 50 * slowness;

  explicit hang_limit(int seconds = seconds_max)
      : seconds_(seconds), watcher_([this] { watch(); }) {}
  ~hang_limit() {
    {
      const std::lock_guard guard(mutex_);
      over_ = true;
    }
    ended_.notify_one();
    watcher_.join();
  }
  hang_limit(const hang_limit&) = delete;
  hang_limit& operator=(const hang_limit&) = delete;

 private:
  void watch() {
    std::unique_lock lock(mutex_);
    for (int second = 0; second < seconds_; ++second) {
      if (ended_.wait_for(lock, std::chrono::seconds(1), [this] { return over_; })) return;
    }
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    std::fprintf(stderr, "%s.%s hangs: it is not over after %d s\n",
                 test != nullptr ? test->test_suite_name() : "?",
                 test != nullptr ? test->name() : "?", seconds_);
    std::abort();
  }

  const int seconds_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread watcher_;  // last: it uses the others
};

}  // namespace umcg::testing
