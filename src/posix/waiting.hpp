// SPDX-License-Identifier: MIT
#pragma once

// A wait of a worker that does not touch what is its program's own: wakes that others send it
// meanwhile are there afterwards, as if it had not waited, and neither scopes nor their
// cancellation end it, because pthread_mutex_lock has no way to say so.

#include "libumcg/task.hpp"
#include "posix/c_library.hpp"
#include "umcg/counters.hpp"
#include "umcg/deadline.hpp"

namespace umcg::posix {

// Whether the calling thread is a worker that may give its server to others now: null if not.
libumcg::task* worker_here() noexcept;

// The limit can be kept: its clock is one of those that are known, its time is one.
bool is_valid(time_limit limit) noexcept;
bool has_passed(time_limit limit) noexcept;

// Of the calling worker, in library code, from its first wait to its last.
class waiting {
 public:
  waiting(libumcg::task& self, wait_reason what, const void* subject) noexcept
      : self_(self), what_(what), subject_(subject) {}
  ~waiting();
  waiting(const waiting&) = delete;
  waiting& operator=(const waiting&) = delete;

  // Until somebody has called time_out() on the worker's state, or the limit: true. False: it was
  // woken by somebody else, for something else.
  bool wait(time_limit limit) noexcept;

 private:
  libumcg::task& self_;
  const wait_reason what_;
  const void* const subject_;
  bool woken_ = false;  // by somebody else
};

}  // namespace umcg::posix
