// SPDX-License-Identifier: MIT

#include "http/stop_signal.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace umcg::http {
namespace {

sigset_t awaited_signals(sighup also) noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (also == sighup::heard) sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

void stop_signal::open(sighup also, std::error_code& error) noexcept {
  const sigset_t signals = awaited_signals(also);
  waker_owner_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (waker_owner_) signals_.reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  error = signals_ ? std::error_code() : std::error_code(errno, std::system_category());
  waker_ = waker_owner_.get();
}

void stop_signal::raise() noexcept {
  raised_ = true;
  const std::uint64_t one = 1;
  // Fails only when nobody can wait yet, or when the count is at its end and so not zero.
  [[maybe_unused]] const auto written = ::write(waker_, &one, sizeof one);
}

stop_signal::reason stop_signal::wait() noexcept {
  pollfd sources[2] = {{waker_, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
  while (!raised_ && ::poll(sources, 2, -1) <= 0) continue;
  return take_signals();
}

// Taken, they do not strike when they are unblocked again.
stop_signal::reason stop_signal::take_signals() noexcept {
  bool only_hang_up = false;
  bool stops = raised_;
  signalfd_siginfo taken;
  while (::read(signals_.get(), &taken, sizeof taken) > 0) {
    (taken.ssi_signo == SIGHUP ? only_hang_up : stops) = true;
  }
  return only_hang_up && !stops ? reason::hang_up : reason::stop;
}

blocked_signals::blocked_signals(sighup also) noexcept {
  const sigset_t signals = awaited_signals(also);
  pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

blocked_signals::~blocked_signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace umcg::http
