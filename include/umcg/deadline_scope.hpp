// SPDX-License-Identifier: MIT
#pragma once

// A deadline for everything below: it bounds every blocking call that the calling worker or thread
// makes while the scope lives, whatever deadline the call has of its own. Set it once for a request
// and nothing that the request does takes longer.
//
//   const umcg::deadline_scope bounded(umcg::deadline::after(2s));
//   peer.read_some(buffer);        // these two take two seconds together, at most
//   const std::lock_guard lock(mutex);
//
// Bounded are I/O (umcg::net and what is built on it), umcg::sleep_until(), all waits of umcg::sync
// and task groups. A call that its scope ends reports asio::error::timed_out: in its
// std::error_code, or as a std::system_error, also where its own deadline would be a result
// (false, timed_out): who gets that result has waited as long as it asked for. A call that need not
// wait succeeds also when the deadline has passed, as with a deadline of its own.
//
// Not bounded are worker::join(), group::stop() and the destructors that call them, since what they
// wait for may use the caller's memory; the waits of the C interface; and what blocks outside this
// library.
//
// Cost: a load and a comparison for each call that has to wait.

#include "umcg/deadline.hpp"

namespace umcg {

class [[nodiscard]] deadline_scope {
 public:
  // Scopes nest, in the order of their lives; the earliest deadline counts.
  explicit deadline_scope(deadline until) noexcept;
  ~deadline_scope();
  deadline_scope(const deadline_scope&) = delete;
  deadline_scope& operator=(const deadline_scope&) = delete;

  // By when the caller's blocking calls end: the earliest deadline of all scopes around it.
  static deadline current() noexcept;

 private:
  const deadline before_;
};

}  // namespace umcg
