// SPDX-License-Identifier: MIT
#pragma once

// A mutex that one writer owns, or any number of readers share: workers of any groups, servers,
// basic tasks and plain threads. A SharedLockable of the standard: std::unique_lock and
// std::shared_lock work on it.
//
// Fairness. Whoever has to wait stands in line, and as long as somebody does, nobody overtakes the
// line: a reader that comes after a writer waits until that has come and gone. Readers that stand
// next to each other are let in together. So neither readers nor writers starve. Two consequences:
// a reader that takes the mutex a second time may wait for a writer that waits for it, for ever;
// and what is written often costs a switch each time. sync::mutex is for short sections.
//
// Thread safety: all functions may be called at any time. It may be destroyed as soon as nobody
// owns it or waits, even if the last unlock has not returned. Not recursive.

#include "umcg/deadline.hpp"
#include "umcg/sync/shared_mutex_state.hpp"
#include "umcg/sync/wait_queue.hpp"

namespace umcg::sync {

class shared_mutex {
 public:
  constexpr shared_mutex() noexcept = default;
  shared_mutex(const shared_mutex&) = delete;
  shared_mutex& operator=(const shared_mutex&) = delete;

  // Blocks until the mutex is the caller's alone. Errors: those of a scope around the caller
  // (umcg/sync.hpp).
  void lock() { try_lock_until(deadline::never()); }
  // Never blocks. False: it is taken, or others wait for it.
  bool try_lock() noexcept { return state_.take(); }
  // Blocks until the mutex is the caller's alone, or until the deadline: false. One that is free is
  // taken also when the deadline has passed. Errors as lock().
  bool try_lock_until(deadline until);
  // Never blocks. A mutex that nobody has locked is reported, and ends the program.
  void unlock() noexcept;

  // The same, together with other readers.
  void lock_shared() { try_lock_shared_until(deadline::never()); }
  bool try_lock_shared() noexcept { return state_.take_shared(); }
  bool try_lock_shared_until(deadline until);
  void unlock_shared() noexcept;

 private:
  bool lock_slowly(bool as_reader, deadline until);
  bool wait_in_line(bool as_reader, deadline until) noexcept;

  shared_mutex_state state_;
  wait_queue queue_;
};

}  // namespace umcg::sync
