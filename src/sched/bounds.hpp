// SPDX-License-Identifier: MIT
#pragma once

// What bounds the blocking calls of the calling worker or thread: the deadlines and cancellations
// of the scopes around it. A worker is a thread, so this is in TLS and nobody else's.

#include <algorithm>

#include "umcg/cancellation.hpp"
#include "umcg/deadline.hpp"

namespace umcg::sched {

struct bounds {
  deadline until;
  cancellation_scope* innermost = nullptr;
};

[[gnu::tls_model("initial-exec")]] extern thread_local constinit bounds own_bounds;

// A blocking call that a cancellation can end: see scope_state.hpp.
class interruptible {
 public:
  interruptible(const interruptible&) = delete;
  interruptible& operator=(const interruptible&) = delete;

  // Called once by whoever has taken it out of its slot, without any lock. It may be gone when this
  // returns.
  virtual void interrupt() noexcept = 0;

  interruptible* next = nullptr;  // owned by whoever has taken it

 protected:
  interruptible() noexcept = default;
  ~interruptible() = default;
};

// The end of a call that shall end at `own`.
inline deadline bounded(deadline own) noexcept { return std::min(own, own_bounds.until); }

// Where to offer a call; null: no cancellation can end it.
inline wait_slot* slot_here() noexcept {
  const cancellation_scope* scope = own_bounds.innermost;
  return scope == nullptr ? nullptr : &scope->slot();
}

inline bool cancelled_here() noexcept {
  for (const cancellation_scope* at = own_bounds.innermost; at != nullptr; at = at->outer()) {
    if (at->is_cancelled()) return true;
  }
  return false;
}

// After a wait that has got nothing. Returns if that was by its own deadline. Throws
// std::system_error if a scope has ended it: operation_aborted, timed_out.
void report_scope_end(deadline own);

[[noreturn]] void throw_timed_out();
[[noreturn]] void throw_aborted();

}  // namespace umcg::sched
