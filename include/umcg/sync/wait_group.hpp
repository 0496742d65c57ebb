// SPDX-License-Identifier: MIT
#pragma once

// Waiting until a number of things are done, by workers of any groups, servers, basic tasks and
// plain threads.
//
//   umcg::sync::wait_group parts(2);
//   group.spawn([&] { one(); parts.done(); }).detach();
//   group.spawn([&] { other(); parts.done(); }).detach();
//   parts.wait();
//
// Thread safety: all functions may be called at any time. The wait group may be destroyed when
// every wait has returned, even if the done() that ended them has not. It can be used again.

#include <cstdint>

#include "umcg/deadline.hpp"
#include "umcg/sync/gate.hpp"

namespace umcg::sync {

class wait_group {
 public:
  explicit constexpr wait_group(std::uint64_t count = 0) noexcept : gate_(count) {}
  wait_group(const wait_group&) = delete;
  wait_group& operator=(const wait_group&) = delete;

  // So many more things are to be done: before the wait that shall wait for them. Never blocks.
  // More than 2^63 at once end the program.
  void add(std::uint64_t count = 1) noexcept { gate_.add(count); }

  // So many of them are done. What was done before is seen by those who have waited for it. Never
  // blocks. More than are to be done end the program.
  void done(std::uint64_t count = 1) noexcept { gate_.take(count); }

  // Blocks until nothing is to be done. Errors: those of a scope around the caller (umcg/sync.hpp).
  void wait() { gate_.wait_until(deadline::never()); }
  // The same until the deadline: false, and something was to be done all that time. True also for a
  // deadline that has passed, if nothing is to be done. Errors as wait().
  bool wait_until(deadline until) { return gate_.wait_until(until); }

 private:
  gate gate_;
};

}  // namespace umcg::sync
