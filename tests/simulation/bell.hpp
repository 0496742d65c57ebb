// SPDX-License-Identifier: MIT
#pragma once

// What threads outside of the simulation wake its server by: the only thing in it that other
// threads touch, and the only real sleep.

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "unit/sched/time_limits.hpp"

namespace umcg::simulation {

class bell {
 public:
  void ring() {
    const std::lock_guard guard(mutex_);
    rung_ = true;
    changed_.notify_one();
  }

  // Whether it was rung since the last call.
  bool take() {
    const std::lock_guard guard(mutex_);
    return std::exchange(rung_, false);
  }

  // For when nothing can happen any more in virtual time. If nobody rings in time, a worker waits
  // for what does not come.
  void wait() {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, testing::patience_duration, [this] { return rung_; })) return;
    std::fprintf(stderr, "the simulation is stuck: nothing is to happen, and somebody waits\n");
    std::abort();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

}  // namespace umcg::simulation
