// SPDX-License-Identifier: MIT
#pragma once

// What ends service::run(): SIGTERM, SIGINT or a call, whichever is first, also a call that comes
// before the wait.

#include <signal.h>

#include <atomic>
#include <system_error>

#include "base/unique_fd.hpp"

namespace umcg::http {

class stop_signal {
 public:
  // Makes wait() possible. Errors: too_many_files_open and its kin.
  void open(std::error_code& error) noexcept;

  // Ends wait(). Any thread.
  void raise() noexcept;

  // Blocks the calling thread until the first of them. The two signals must be blocked, see
  // blocked_signals.
  void wait() noexcept;

 private:
  // A raise() sets raised_ and then looks for the descriptor; open() sets the descriptor, and then
  // wait() looks at raised_. So one of the two sees the other.
  std::atomic<bool> raised_ = false;
  std::atomic<int> waker_ = -1;  // an eventfd
  base::unique_fd waker_owner_;
  base::unique_fd signals_;  // a signalfd
};

// Blocks SIGTERM and SIGINT in the calling thread, and in those that it creates, for as long as it
// lives.
class blocked_signals {
 public:
  blocked_signals() noexcept;
  ~blocked_signals();
  blocked_signals(const blocked_signals&) = delete;
  blocked_signals& operator=(const blocked_signals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace umcg::http
