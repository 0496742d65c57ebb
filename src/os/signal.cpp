// SPDX-License-Identifier: MIT
#include "umcg/os/signal.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include <asio/error.hpp>

#include "base/unique_fd.hpp"
#include "io/operations.hpp"
#include "net/error_code.hpp"
#include "umcg/net/error.hpp"

namespace umcg::os {

namespace {

bool all_blocked_here(const sigset_t& signals) noexcept {
  sigset_t blocked;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (sigismember(&signals, number) == 1 && sigismember(&blocked, number) != 1) return false;
  }
  return true;
}

}  // namespace

signal_set::signal_set() noexcept { sigemptyset(&set_); }

signal_set::signal_set(std::initializer_list<int> signals) noexcept : signal_set() {
  for (const int signal : signals) add(signal);
}

void signal_set::add(int signal) noexcept { sigaddset(&set_, signal); }

bool signal_set::contains(int signal) const noexcept { return sigismember(&set_, signal) == 1; }

blocked_signals::blocked_signals(const signal_set& signals) noexcept {
  ::pthread_sigmask(SIG_BLOCK, &signals.native(), &before_);
}

blocked_signals::~blocked_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

// The signal is pending in the process until the read, so nothing is lost between two calls. The
// descriptor is made anew each time: a kept one would have to be somebody's.
received_signal wait_for_signal(const signal_set& signals, deadline until, std::error_code& error) {
  if (!all_blocked_here(signals.native())) {
    error = asio::error::invalid_argument;
    return {};
  }
  const base::unique_fd source(::signalfd(-1, &signals.native(), SFD_CLOEXEC | SFD_NONBLOCK));
  if (!source) {
    error = net::last_error();
    return {};
  }
  for (;;) {
    io::wait_until_ready(source.get(), POLLIN, until, error);
    if (error) {
      error = net::named_error(error);
      return {};
    }
    signalfd_siginfo info{};
    if (::read(source.get(), &info, sizeof info) == sizeof info) {
      return {static_cast<int>(info.ssi_signo), static_cast<pid_t>(info.ssi_pid), info.ssi_uid};
    }
    if (errno != EAGAIN && errno != EINTR) {
      error = net::last_error();
      return {};
    }
  }
}

received_signal wait_for_signal(const signal_set& signals, deadline until) {
  std::error_code error;
  const received_signal received = wait_for_signal(signals, until, error);
  net::throw_if(error, "wait_for_signal");
  return received;
}

}  // namespace umcg::os
