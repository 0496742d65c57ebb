// SPDX-License-Identifier: MIT
#include "sched/bounds.hpp"

#include <system_error>
#include <utility>

#include <asio/error.hpp>

#include "umcg/deadline_scope.hpp"

namespace umcg {

namespace sched {

thread_local constinit bounds own_bounds;

void throw_timed_out() {
  throw std::system_error(asio::error::timed_out, "the deadline of a scope has passed");
}

void throw_aborted() {
  throw std::system_error(asio::error::operation_aborted, "a scope is cancelled");
}

void report_scope_end(deadline own) {
  if (cancelled_here()) throw_aborted();
  if (!own.passed()) throw_timed_out();
}

}  // namespace sched

deadline_scope::deadline_scope(deadline until) noexcept
    : before_(std::exchange(sched::own_bounds.until, sched::bounded(until))) {}
deadline_scope::~deadline_scope() { sched::own_bounds.until = before_; }
deadline deadline_scope::current() noexcept { return sched::own_bounds.until; }

scope_shield::scope_shield() noexcept
    : until_before_(std::exchange(sched::own_bounds.until, deadline::never())),
      scope_before_(std::exchange(sched::own_bounds.innermost, nullptr)) {}
scope_shield::~scope_shield() { sched::own_bounds = {until_before_, scope_before_}; }

}  // namespace umcg
