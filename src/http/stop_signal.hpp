// SPDX-License-Identifier: MIT
#pragma once

// What ends service::run(): SIGTERM, SIGINT or a call, whichever is first, also a call that comes
// before the wait. And what it is woken up for on the way: SIGHUP, if it wants that.

#include <signal.h>

#include <atomic>
#include <system_error>

#include "base/unique_fd.hpp"

namespace umcg::http {

enum class sighup : bool { ignored, heard };

class stop_signal {
 public:
  enum class reason : bool { stop, hang_up };

  // Makes wait() possible. Errors: too_many_files_open and its kin.
  void open(sighup also, std::error_code& error) noexcept;

  // Ends wait(). Any thread.
  void raise() noexcept;

  // Blocks the calling thread until the first of them. The signals must be blocked, see
  // blocked_signals.
  reason wait() noexcept;

 private:
  reason take_signals() noexcept;

  // A raise() sets raised_ and then looks for the descriptor; open() sets the descriptor, and then
  // wait() looks at raised_. So one of the two sees the other.
  std::atomic<bool> raised_ = false;
  std::atomic<int> waker_ = -1;  // an eventfd
  base::unique_fd waker_owner_;
  base::unique_fd signals_;  // a signalfd
};

// Blocks SIGTERM and SIGINT, and SIGHUP if that is heard, in the calling thread, and in those that
// it creates, for as long as it lives.
class blocked_signals {
 public:
  explicit blocked_signals(sighup also) noexcept;
  ~blocked_signals();
  blocked_signals(const blocked_signals&) = delete;
  blocked_signals& operator=(const blocked_signals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace umcg::http
