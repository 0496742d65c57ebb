// SPDX-License-Identifier: MIT
#pragma once

// The io_uring backend. One plain ring with cooperative task work: operations that one kernel
// thread submitted complete wherever the ring is entered next, so another carrier may adopt the
// server with its ring (SINGLE_ISSUER and DEFER_TASKRUN would tie it to one). Submissions are
// collected while workers run and leave in one system call, the one that also waits.

#include <atomic>

#include <liburing.h>

#include "base/timer_wheel.hpp"
#include "io/reactor.hpp"
#include "io/uring_kernel.hpp"
#include "libumcg/idle_workers.hpp"

namespace umcg::io {

class uring_reactor final : public reactor {
 public:
  static made_reactor make(uring_kernel& kernel = linux_uring());
  ~uring_reactor() override;

  void attach(libumcg::task& server) noexcept override { server_ = &server; }
  void detach() noexcept override {}
  void poll() noexcept override;
  void park(deadline until) noexcept override;
  void collect() noexcept override;
  void unpark() noexcept override;
  bool has_operations() const noexcept override { return under_way_ != 0; }
  void perform(operation& wanted, deadline until) noexcept override;
  void cancel(operation& unwanted) noexcept override;

 private:
  explicit uring_reactor(uring_kernel& kernel) noexcept : kernel_(kernel), timers_(kernel.now()) {}

  void make_room(unsigned entries_needed) noexcept;
  io_uring_sqe& next_entry() noexcept;
  void prepare(operation& wanted) noexcept;
  void prepare_send_then_recv(operation& wanted) noexcept;
  void prepare_connect_again(operation& wanted) noexcept;
  void submit_cancel(operation& unwanted) noexcept;
  void listen_for_unpark() noexcept;
  bool alarm_comes_by(deadline end) noexcept;
  void pass_deadlines() noexcept;
  void reap() noexcept;
  void end_part(operation& of, bool is_first, int result) noexcept;
  void submit_lost() noexcept;
  void complete(operation& finished, int result) noexcept;

  uring_kernel& kernel_;

  // All of it passes with the server's context from carrier to carrier.
  io_uring ring_{};
  bool ring_exists_ = false;
  libumcg::task* server_ = nullptr;
  base::timer_wheel timers_;
  libumcg::task_chain idle_;        // workers whose operations are complete, not yet published
  std::size_t under_way_ = 0;       // operations, sleeps included, that are not complete
  operation* lost_ = nullptr;       // to be submitted again, linked by next
  bool listens_ = false;            // a read of the eventfd is under way
  std::uint64_t unpark_count_ = 0;  // where the read of the eventfd puts its count
  deadline alarm_;                  // the earliest timeout under way in the ring
  __kernel_timespec alarm_time_{};  // the same, where the kernel reads it when it is submitted

  int bell_ = -1;                         // fixed
  std::atomic<bool> unpark_sent_{false};  // one write for each park is enough
};

}  // namespace umcg::io
