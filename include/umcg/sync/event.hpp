// SPDX-License-Identifier: MIT
#pragma once

// Something that happens once, or is true for a while: set and reset by hand, waited for by any
// number of workers of any groups, servers, basic tasks and plain threads.
//
// Thread safety: all functions may be called at any time. The event may be destroyed when every
// wait has returned, even if the set() that ended them has not.

#include "umcg/deadline.hpp"
#include "umcg/sync/gate.hpp"

namespace umcg::sync {

class event {
 public:
  explicit constexpr event(bool set = false) noexcept : gate_(set ? 0 : 1) {}
  event(const event&) = delete;
  event& operator=(const event&) = delete;

  // Lets everybody go on who waits, even if the event is reset at once, and whoever waits from now
  // on. What was done before is seen by all of them. Never blocks.
  void set() noexcept { gate_.open(); }
  // From now on waits block again. Never blocks.
  void reset() noexcept { gate_.shut(); }
  bool is_set() const noexcept { return gate_.is_open(); }

  // Blocks until the event is set. Errors: those of a scope around the caller (umcg/sync.hpp).
  void wait() { gate_.wait_until(deadline::never()); }
  // The same until the deadline: false, and it was not set in that time. True also for a deadline
  // that has passed, if the event is set. Errors as wait().
  bool wait_until(deadline until) { return gate_.wait_until(until); }

 private:
  gate gate_;
};

}  // namespace umcg::sync
