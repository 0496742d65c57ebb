// SPDX-License-Identifier: MIT
#pragma once

// A reactor: owner of one ring (or whatever a backend has in its place). It belongs to one server;
// the workers that the server runs bring it their operations, and it makes them idle again when
// those are complete.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "base/timer_wheel.hpp"
#include "libumcg/task.hpp"
#include "sched/event_source.hpp"
#include "umcg/deadline.hpp"

namespace umcg::io {

enum class action : std::uint8_t {
  sleep,
  accept,
  connect,
  recv,
  send,
  recv_message,
  send_message,
  send_then_recv,
  read,
  write,
};

// One blocking call under way, on the stack of the worker that makes it. It is complete, and no
// longer known to any kernel, when the worker runs again.
struct operation {
  explicit operation(action action_of, int fd_of = -1) noexcept : what(action_of), fd(fd_of) {}

  // What to do; which of these count depends on `what`.
  action what;
  bool timed_out = false;  // the reactor: the deadline passed and the operation is being cancelled
  int fd;
  std::span<std::byte> into;
  std::span<const std::byte> out;
  msghdr* message = nullptr;
  sockaddr* address = nullptr;
  socklen_t* address_size = nullptr;  // accept; connect: by value in `connect_size`
  socklen_t connect_size = 0;
  std::int64_t offset = -1;

  // What came of it: a count or descriptor, or a negated error number. ETIMEDOUT for a deadline.
  int result = 0;
  int send_result = 0;  // send_then_recv: the send's, when it failed or fell short

  libumcg::task* worker = nullptr;
  struct expiry : base::timer {
    operation* owner = nullptr;
  } deadline_timer;
};

class reactor : public sched::event_source {
 public:
  // Blocks the calling worker, which this reactor's server runs, until the operation is complete.
  // Library code: the caller holds a preempt_guard.
  virtual void perform(operation& wanted, deadline until) noexcept = 0;
};

// The reactor of the server that runs the calling worker; null on any other thread.
inline reactor* reactor_here() noexcept {
  const libumcg::task* self = libumcg::current_task;
  if (self == nullptr || self->kind != libumcg::task_kind::worker || self->server == nullptr) {
    return nullptr;
  }
  return static_cast<reactor*>(self->server->user);
}

struct made_reactor {
  std::unique_ptr<reactor> made;  // null: not to be had
  std::string reason;             // a line for the log, or what to do
};
// `name`: "auto" or "io_uring".
made_reactor make_reactor(std::string_view name);

}  // namespace umcg::io
