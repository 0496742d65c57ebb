// SPDX-License-Identifier: MIT
#pragma once

// Waiting for signals as for anything else: a worker that waits for SIGHUP reads the configuration
// again in ordinary code, where any function may be called.
//
//   int main() {
//     const os::blocked_signals blocked({SIGHUP});  // before any thread is made
//     umcg::group group = umcg::group::start();
//     group.spawn([] { for (;;) { os::wait_for_signal({SIGHUP}); reload(); } }).detach();
//
// A signal that is sent to the process goes to any thread that does not block it, and there its
// handler runs or its default action strikes. So one that is waited for has to be blocked in every
// thread: by blocked_signals at the beginning of main(), from where threads inherit it. The threads
// that run workers block all signals by themselves but the real-time ones and those that are faults
// of the code that runs (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT); on half native
// a worker has the mask of the thread that has spawned it. The mask of a worker is its carrier's:
// it must not change it. Children (umcg/os/child.hpp) begin with no signal blocked.
//
// Only signals to the process are seen, by kill(2) or a terminal, not those to one thread. Signals
// that are sent while nobody waits stay pending, each number once.

#include <signal.h>
#include <sys/types.h>

#include <initializer_list>
#include <system_error>

#include "umcg/deadline.hpp"

namespace umcg::os {

class signal_set {
 public:
  signal_set() noexcept;
  // Numbers that are no signals are left out.
  signal_set(std::initializer_list<int> signals) noexcept;

  void add(int signal) noexcept;
  bool contains(int signal) const noexcept;
  const sigset_t& native() const noexcept { return set_; }

 private:
  sigset_t set_;
};

// Blocks signals in the calling thread, and in those that it makes, for as long as it lives. Not
// for workers.
class [[nodiscard]] blocked_signals {
 public:
  explicit blocked_signals(const signal_set& signals) noexcept;
  ~blocked_signals();
  blocked_signals(const blocked_signals&) = delete;
  blocked_signals& operator=(const blocked_signals&) = delete;

 private:
  sigset_t before_;
};

struct received_signal {
  int number = 0;
  pid_t sender = 0;  // 0: the kernel
  uid_t sender_user = 0;
};

// Blocks the calling worker or thread until one of the signals is pending, and takes it. Of several
// that wait for the same signal one gets it. Errors: invalid_argument (one of them is not blocked
// here: it would strike), timed_out, operation_aborted, no_descriptors.
received_signal wait_for_signal(const signal_set& signals, deadline until = deadline::never());
received_signal wait_for_signal(const signal_set& signals, deadline until, std::error_code& error);

}  // namespace umcg::os
