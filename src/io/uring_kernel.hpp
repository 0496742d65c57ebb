// SPDX-License-Identifier: MIT
#pragma once

// What the io_uring reactor asks of the kernel, by way of liburing: every system call that it
// makes, and the clock that it reads. A seam for tests, which put a ring with faults and a time of
// its own in its place.

#include <liburing.h>

#include "umcg/deadline.hpp"

namespace umcg::io {

// Each function returns what liburing's returns, errors as negated error numbers. Thread safety: as
// the kernel's.
class uring_kernel {
 public:
  virtual ~uring_kernel() = default;

  virtual deadline::clock::time_point now() noexcept = 0;

  virtual int create(io_uring& ring, unsigned entries, io_uring_params& parameters) noexcept = 0;
  virtual void destroy(io_uring& ring) noexcept = 0;
  // Whether the kernel knows the operations and lets this process enter the ring.
  virtual int try_out(io_uring& ring) noexcept = 0;

  virtual int submit(io_uring& ring) noexcept = 0;
  // Blocks until there is a completion, or `until` unless that is never.
  virtual int submit_and_wait(io_uring& ring, deadline until) noexcept = 0;
  // Also lets the kernel deliver completions that found no room or wait for this thread.
  virtual int submit_and_get_events(io_uring& ring) noexcept = 0;
  virtual int get_events(io_uring& ring) noexcept = 0;

  // What the ring can read to be woken from outside: an eventfd.
  virtual int create_bell() noexcept = 0;
  virtual void ring_bell(int bell) noexcept = 0;
  virtual void close(int fd) noexcept = 0;
};

// The one that Linux is.
uring_kernel& linux_uring() noexcept;

__kernel_timespec to_kernel_time(std::chrono::nanoseconds time) noexcept;

}  // namespace umcg::io
