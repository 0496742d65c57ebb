// SPDX-License-Identifier: MIT
#pragma once

// Workers that compute and take no signals.

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <ctime>
#include <vector>

#include <gtest/gtest.h>

#include "sanitizer.hpp"
#include "umcg/group.hpp"
#include "umcg/worker.hpp"

namespace umcg::testing {

// None reach the calling thread from here to the end.
class no_signals {
 public:
  no_signals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &usual_);
  }
  no_signals(const no_signals&) = delete;
  no_signals& operator=(const no_signals&) = delete;
  ~no_signals() { ::pthread_sigmask(SIG_SETMASK, &usual_, nullptr); }

 private:
  sigset_t usual_;
};

// How many waited for the calling thread.
inline int take_queued_signals() {
  sigset_t all;
  sigfillset(&all);
  constexpr timespec at_once{0, 0};
  int count = 0;
  while (::sigtimedwait(&all, nullptr, &at_once) > 0) ++count;
  return count;
}

// They cannot be asked to yield, so they keep their carriers and lose their servers.
class deaf_workers {
 public:
  deaf_workers(group& on, unsigned count) {
    for (unsigned at = 0; at < count; ++at) workers_.push_back(on.spawn([this] { compute(); }));
  }
  void join() {
    enough_ = true;
    for (worker& each : workers_) each.join();
  }

 private:
  void compute() {
    const no_signals deaf;
    while (!enough_) {
    }
    // Each would put a frame on the worker's stack. ThreadSanitizer takes one beforehand, and calls
    // the handler later.
    EXPECT_LE(take_queued_signals(), thread_sanitizer ? 2 : 1);
  }

  std::atomic<bool> enough_{false};
  std::vector<worker> workers_;
};

}  // namespace umcg::testing
