// SPDX-License-Identifier: MIT
#pragma once

// A reactor: owner of one ring (or whatever a backend has in its place). It belongs to one server;
// the workers that the server runs bring it their operations, and it makes them idle again when
// those are complete.

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "base/timer_wheel.hpp"
#include "io/interruption_state.hpp"
#include "libumcg/task.hpp"
#include "libumcg/task_table.hpp"
#include "sched/bounds.hpp"
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
  poll,
  read_vector,
  write_vector,
  // Of files and names, without a transfer: see io/file_calls.hpp.
  open,
  sync,
  status,
  rename,
  remove,
  make_directory,
};

constexpr bool is_file_call(action what) noexcept { return what >= action::open; }

struct file_call;

// One blocking call under way, on the stack of the worker that makes it. It is complete, and no
// longer known to any kernel, when the worker runs again.
struct operation {
  explicit operation(action action_of, int fd_of = -1, std::uint64_t serial_of = 0) noexcept
      : what(action_of), fd(fd_of), serial(serial_of) {}

  // What to do; which of these count depends on `what`.
  action what;
  bool timed_out = false;  // the reactor: the deadline passed and the operation is being cancelled
  bool under_way = false;  // set before it is given to a reactor, which clears it on completion
  bool cancelled = false;  // the reactor: by cancel()
  bool begun = false;      // the reactor: send_then_recv has sent all, connect is under way
  int fd;
  // Which socket `fd` is, for those who are told of its end; 0: whichever has the number now. See
  // io/operations.hpp.
  std::uint64_t serial = 0;
  std::span<std::byte> into;
  std::span<const std::byte> out;
  msghdr* message = nullptr;
  int message_flags = 0;            // recv_message
  short events = 0;                 // poll: POLLIN, POLLOUT; they are the result
  std::span<const iovec> buffers;   // read_vector, write_vector
  const file_call* call = nullptr;  // is_file_call()
  sockaddr* address = nullptr;
  socklen_t* address_size = nullptr;  // accept; connect: by value in `connect_size`
  socklen_t connect_size = 0;
  std::int64_t offset = -1;

  // What came of it: a count or descriptor, or a negated error number. ETIMEDOUT for a deadline.
  int result = 0;
  int send_result = 0;  // send_then_recv: the send's, when it failed or fell short

  // The reactor's, while it waits.
  std::size_t done = 0;  // bytes so far
  operation* next = nullptr;
  operation* previous = nullptr;

  libumcg::task* worker = nullptr;
  struct expiry : base::timer {
    operation* owner = nullptr;
  } deadline_timer;
};

class reactor;

// An operation under way that a cancellation can end. On the stack of its worker.
class interruption final : public sched::interruptible {
 public:
  interruption(operation& of, reactor& at) noexcept;

  // By a canceller.
  void interrupt() noexcept override;
  // Blocks the worker, whose operation is over, until neither canceller nor reactor refers to this.
  // Called if a canceller has taken it out of its slot.
  void wait_until_free() noexcept;

  interruption* next_posted = nullptr;  // owned by the inbox it is in

 private:
  friend class reactor;
  void let_go(std::uint32_t mine) noexcept;

  interruption_state state_;
  operation& of_;
  reactor& at_;
  const libumcg::task_reference worker_;
};

class reactor : public sched::event_source {
 public:
  // Blocks the calling worker, which this reactor's server runs, until the operation is complete,
  // and no longer under way. Library code: the caller holds a preempt_guard.
  virtual void perform(operation& wanted, deadline until) noexcept = 0;

  // Ends an operation under way early: its completion follows with ECANCELED unless it has
  // succeeded. On the server's own thread, between two workers, or by one of its workers as
  // perform().
  virtual void cancel(operation& unwanted) noexcept = 0;

  // As cancel(), from any thread, and for an operation that may be complete by now.
  void post(interruption& wanted) noexcept;

 protected:
  // Cancels what was posted. Called in collect(), between noting an unpark() and publishing
  // workers.
  void cancel_posted() noexcept;
  // Whether something is posted: a server that is about to sleep collects instead.
  bool anything_posted() const noexcept { return !inbox_.empty(); }

 private:
  inbox_state<interruption> inbox_;
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
// `name`: "auto", "io_uring" or "epoll".
made_reactor make_reactor(std::string_view name);

}  // namespace umcg::io
