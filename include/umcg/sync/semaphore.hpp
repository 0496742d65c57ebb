// SPDX-License-Identifier: MIT
#pragma once

// A number of units that workers of any groups, servers, basic tasks and plain threads take and
// give. Whoever finds none waits in line, as what it is; a unit that is given goes to the first in
// line, and nobody overtakes it.
//
// Thread safety: all functions may be called at any time. The semaphore may be destroyed when
// nobody waits, even if a release() has not returned whose units were taken.

#include <cstdint>

#include "umcg/deadline.hpp"
#include "umcg/sync/semaphore_state.hpp"
#include "umcg/sync/wait_queue.hpp"

namespace umcg::sync {

class semaphore {
 public:
  explicit constexpr semaphore(std::uint64_t units) noexcept : state_(units) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  // Takes a unit; blocks until it has one. Errors: those of a scope around the caller
  // (umcg/sync.hpp).
  void acquire() { acquire_until(deadline::never()); }

  // Never blocks. False: there is none.
  bool try_acquire() noexcept { return state_.take(); }

  // Takes a unit; blocks until it has one, or until the deadline: false, and no unit was taken. A
  // unit that is there is taken also when the deadline has passed. Errors as acquire().
  bool acquire_until(deadline until);

  // Gives units, which need not have been taken before. Never blocks. More than 2^63 units at once
  // end the program.
  void release(std::uint64_t units = 1) noexcept;

  // How many units are there; it may have changed before the call returns.
  std::uint64_t available() const noexcept { return state_.units(); }

 private:
  bool wait_in_line(deadline until) noexcept;

  semaphore_state state_;
  wait_queue queue_;
};

}  // namespace umcg::sync
