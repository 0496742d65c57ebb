// SPDX-License-Identifier: MIT
#pragma once

// The shared word of a condition variable: whether anybody waits.
//
//   empty  --queue-->  queued   under the queue's lock, by one that still owns its mutex
//   queued --leave-->  empty    under the queue's lock, by whoever takes the last one out
//
// It spares a notifier the lock when nobody waits. Who changes under the mutex what is waited for,
// and notifies afterwards, sees everybody that has looked at it before the change: they got in line
// before they unlocked the mutex. If they unlock first, tests/unit/sync/mutex_test hangs where
// conditions pass a turn round.

#include <atomic>

namespace umcg::sync {

class condition_state {
 public:
  bool anybody() const noexcept { return queued_.load(); }
  void queue() noexcept { queued_.store(true); }
  void leave(bool more) noexcept {
    if (!more) queued_.store(false);
  }

 private:
  std::atomic<bool> queued_{false};
};

}  // namespace umcg::sync
