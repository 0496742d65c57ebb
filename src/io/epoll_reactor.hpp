// SPDX-License-Identifier: MIT
#pragma once

// The epoll backend. A worker makes its call itself, without blocking; only what would block waits,
// and the server makes the call again when the descriptor is ready. So what an event says is a hint
// and never the result: a late or needless one costs a system call.
//
// A descriptor is registered once, edge-triggered, for everything, and stays so until it is closed,
// which takes it out of the set. Its number may then be another file's, and the set does not say.
// Who waits names the socket by its serial (io/operations.hpp), and where that is not the one that
// was registered, or is not known, the kernel is asked: EPOLL_CTL_MOD knows file and number, and
// ENOENT means that it is another file. Each registration has a number of its own, which comes back
// with its events.
//
// After a receive on TCP that fell short the socket is empty, so that the next one is not tried but
// waits for its event: two system calls for a request and its response, as in the loops that are
// written by hand. A worker that never has to wait gives way to others after so many calls.
//
// Listening sockets that workers accept from are put into non-blocking mode, since accept(2) has no
// flag for that; sockets that connect are in it for the moment of the call. All others stay as they
// are. What epoll cannot watch, files on disks, is read and written directly where it is cached,
// and otherwise outside of the server (a blocking region), where files are opened, flushed and so
// on as well.
//
// Rejected: one-shot registration, which is one system call more for each wait. Trying the receive
// after every send: for a request and a response it is a third call, which sees EAGAIN. Letting the
// woken worker make the call: it may run on another server by then, and two that wait for one
// socket would both be woken for one byte.

#include <array>
#include <atomic>

#include "base/timer_wheel.hpp"
#include "io/epoll_kernel.hpp"
#include "io/reactor.hpp"
#include "io/watch_table.hpp"
#include "libumcg/idle_workers.hpp"

namespace umcg::io {

class epoll_reactor final : public reactor {
 public:
  static made_reactor make(epoll_kernel& kernel = linux_epoll());
  ~epoll_reactor() override;

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
  static constexpr std::size_t events_max = 512;

  explicit epoll_reactor(epoll_kernel& kernel) noexcept : kernel_(kernel), timers_(kernel.now()) {}

  bool passed(deadline until) noexcept;
  void block(operation& wanted, deadline until) noexcept;
  void end_turn() noexcept;

  int attempt(operation& wanted, bool last_try) noexcept;
  int accept(operation& wanted) noexcept;
  int connect(operation& wanted) noexcept;
  int send(operation& wanted) noexcept;
  int receive(operation& wanted) noexcept;
  int send_then_receive(operation& wanted, bool last_try) noexcept;
  int transfer(operation& wanted) noexcept;
  int transfer_once(operation& wanted) noexcept;

  watch* known(const operation& wanted) noexcept;
  static std::uint32_t interest(const watch& of, const operation& wanted) noexcept;
  int start_watching(operation& wanted) noexcept;
  int register_again(watch& of, const operation& wanted) noexcept;
  int register_new(watch& of, const operation& wanted) noexcept;
  void forget(watch& of, int fd) noexcept;

  void harvest(deadline until) noexcept;
  void see(const epoll_event& event) noexcept;
  void serve(watch& of, waiting_operations& waiting) noexcept;
  void end_all(waiting_operations& waiting, int result) noexcept;
  void end_early(operation& wanted, int result) noexcept;
  void complete(operation& finished, int result) noexcept;
  void pass_deadlines() noexcept;

  epoll_kernel& kernel_;

  // All of it passes with the server's context from carrier to carrier.
  int set_ = -1;
  libumcg::task* server_ = nullptr;
  base::timer_wheel timers_;
  std::size_t under_way_ = 0;  // operations, sleeps included, that wait
  libumcg::task_chain idle_;   // workers whose operations are complete, not yet published
  watch_table watches_;
  std::array<epoll_event, events_max> events_;
  std::size_t events_seen_ = 0;  // of these, not yet looked at
  int turns_left_ = 0;           // calls that need not wait, until the server looks again

  int bell_ = -1;                         // fixed
  std::atomic<bool> unpark_sent_{false};  // one ring for each park is enough
};

}  // namespace umcg::io
