// SPDX-License-Identifier: MIT

// Every call is one attempt that does not block, repeated by until_ready() whenever the descriptor
// may be ready.

#include "io/thread_calls.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <type_traits>

#include "base/futex.hpp"
#include "base/unique_fd.hpp"
#include "sched/bounds.hpp"

namespace umcg::io::thread_calls {
namespace {

static_assert(std::is_same_v<decltype(accept), decltype(io::accept)>);
static_assert(std::is_same_v<decltype(connect), decltype(io::connect)>);
static_assert(std::is_same_v<decltype(recv), decltype(io::recv)>);
static_assert(std::is_same_v<decltype(send), decltype(io::send)>);
static_assert(std::is_same_v<decltype(send_some), decltype(io::send_some)>);
static_assert(std::is_same_v<decltype(recv_some), decltype(io::recv_some)>);
static_assert(std::is_same_v<decltype(recv_message), decltype(io::recv_message)>);
static_assert(std::is_same_v<decltype(send_message), decltype(io::send_message)>);
static_assert(std::is_same_v<decltype(send_then_recv), decltype(io::send_then_recv)>);
static_assert(std::is_same_v<decltype(exchange), decltype(io::exchange)>);
static_assert(std::is_same_v<decltype(wait_until_ready), decltype(io::wait_until_ready)>);
static_assert(std::is_same_v<decltype(read), decltype(io::read)>);
static_assert(std::is_same_v<decltype(write), decltype(io::write)>);
static_assert(std::is_same_v<decltype(read_some), decltype(io::read_some)>);
static_assert(std::is_same_v<decltype(write_some), decltype(io::write_some)>);
static_assert(std::is_same_v<decltype(sleep_until), decltype(io::sleep_until)>);

std::error_code system_error(int number) { return {number, std::system_category()}; }

timespec to_timespec(std::chrono::nanoseconds duration) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(duration);
  timespec result{};
  result.tv_sec = seconds.count();
  result.tv_nsec = (duration - seconds).count();
  return result;
}

// What a cancellation ends a wait of ppoll(2) by.
class poll_interruption final : public sched::interruptible {
 public:
  // Offers itself, if the caller is in a cancellation scope. Errors: those of eventfd(2).
  explicit poll_interruption(std::error_code& error) : slot_(sched::slot_here()) {
    if (slot_ == nullptr) return;
    wakes_.reset(::eventfd(0, EFD_CLOEXEC));
    if (wakes_) {
      slot_->offer(*this);
    } else {
      error = system_error(errno);
      slot_ = nullptr;
    }
  }
  // Whoever has taken it writes to the descriptor and does not touch it after that.
  ~poll_interruption() {
    if (slot_ == nullptr || slot_->withdraw(*this)) return;
    std::uint64_t count = 0;
    while (::read(wakes_.get(), &count, sizeof count) < 0 && errno == EINTR) {
    }
  }
  poll_interruption(const poll_interruption&) = delete;
  poll_interruption& operator=(const poll_interruption&) = delete;

  void interrupt() noexcept override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wakes_.get(), &one, sizeof one);
  }

  // Negative, which poll ignores, outside of such scopes.
  int fd() const { return wakes_.get(); }

 private:
  sched::wait_slot* slot_;
  base::unique_fd wakes_;
};

bool cancelled(std::error_code& error) {
  if (!sched::cancelled_here()) return false;
  error = system_error(ECANCELED);
  return true;
}

// Waits until `fd` is ready for `events`, or broken: the next attempt then reports what is wrong.
// Looks once even when the deadline has passed. False with timed_out at the deadline, and with
// operation_canceled.
bool wait_ready(int fd, short events, deadline until, std::error_code& error) {
  error.clear();
  const poll_interruption interrupted(error);
  if (error) return false;
  for (;;) {
    if (cancelled(error)) return false;
    // ppoll takes a duration. It is computed anew from the deadline in each turn, so signals do not
    // prolong it.
    timespec left{};
    const bool last_look = until.passed();
    if (!last_look && !until.is_never()) {
      left = to_timespec(until.when() - deadline::clock::now());
      if (left.tv_sec < 0) left = {};
    }
    std::array<pollfd, 2> waited{{{fd, events, 0}, {interrupted.fd(), POLLIN, 0}}};
    const int ready =
        ::ppoll(waited.data(), waited.size(), until.is_never() ? nullptr : &left, nullptr);
    if (ready > 0 && waited[0].revents != 0) return true;
    if (ready < 0 && errno != EINTR) {
      error = system_error(errno);
      return false;
    }
    if (ready == 0 && last_look) {
      error = system_error(ETIMEDOUT);
      return false;
    }
  }
}

// Repeats `attempt`, a system call with its usual result, until it no longer has to wait.
template <class Attempt>
std::size_t until_ready(int fd, short events, deadline until, std::error_code& error,
                        Attempt attempt) {
  for (;;) {
    if (cancelled(error)) return 0;
    const ssize_t result = attempt();
    if (result >= 0) {
      error.clear();
      return static_cast<std::size_t>(result);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      error = system_error(errno);
      return 0;
    }
    // Others may take whatever there is, time and again: readiness does not entitle to a try after
    // the deadline.
    if (until.passed()) {
      error = system_error(ETIMEDOUT);
      return 0;
    }
    if (!wait_ready(fd, events, until, error)) return 0;
  }
}

bool ready_now(int fd, short events) {
  pollfd looked{fd, events, 0};
  return ::poll(&looked, 1, 0) > 0;
}

// Between seeing a connection and accepting it, another accepter could take it, and accept(2) would
// then block past the deadline. So plain threads take turns, each of two system calls that do not
// block. Sockets that share a lock only wait for each other's turns. Rejected: O_NONBLOCK and
// SO_RCVTIMEO on the listening socket. Both are seen by every other user of it, the reactor
// included, and accepted sockets inherit the latter.
std::mutex& accept_turn(int fd) {
  static std::array<std::mutex, 64> turns;
  return turns[static_cast<unsigned>(fd) % turns.size()];
}

// accept(2) if a connection waits, else EAGAIN.
int accept_one(int fd, peer_address& peer) {
  const std::lock_guard turn(accept_turn(fd));
  // poll(2) ignores a negative descriptor; accept(2) names the error.
  if (fd >= 0 && !ready_now(fd, POLLIN)) {
    errno = EAGAIN;
    return -1;
  }
  peer.size = sizeof(peer.storage);
  return ::accept4(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size, SOCK_CLOEXEC);
}

// Puts a socket into non-blocking mode and back.
class non_blocking_mode {
 public:
  explicit non_blocking_mode(int fd) : fd_(fd), flags_(::fcntl(fd, F_GETFL)) {
    if (changes()) ::fcntl(fd_, F_SETFL, flags_ | O_NONBLOCK);
  }
  ~non_blocking_mode() {
    const int error = errno;
    if (changes()) ::fcntl(fd_, F_SETFL, flags_);
    errno = error;
  }
  non_blocking_mode(const non_blocking_mode&) = delete;
  non_blocking_mode& operator=(const non_blocking_mode&) = delete;

 private:
  bool changes() const { return flags_ >= 0 && (flags_ & O_NONBLOCK) == 0; }

  const int fd_;
  const int flags_;
};

// Keeps the SIGPIPE of a write to a broken pipe from this thread. The signal is aimed at the thread
// that writes, so blocking it and taking it out again hides it from everybody. One that was pending
// before is left alone.
class sigpipe_hidden {
 public:
  sigpipe_hidden() {
    sigemptyset(&only_sigpipe_);
    sigaddset(&only_sigpipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &only_sigpipe_, &mask_before_);
  }
  ~sigpipe_hidden() {
    const int error = errno;
    const timespec at_once{};
    while (!was_pending_ && sigtimedwait(&only_sigpipe_, nullptr, &at_once) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
    errno = error;
  }
  sigpipe_hidden(const sigpipe_hidden&) = delete;
  sigpipe_hidden& operator=(const sigpipe_hidden&) = delete;

 private:
  sigset_t only_sigpipe_;
  sigset_t mask_before_;
  bool was_pending_ = false;
};

// Whether poll(2) says something about `fd`. For files it always claims that they are ready.
bool pollable(int fd) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return false;
  return !S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode) && !S_ISDIR(about.st_mode);
}

// Reads or writes through `transfer`, which takes the RWF_ flags. Without RWF_NOWAIT a large write
// to a pipe would block until all of it is taken, however late. Devices that do not know the flag
// are asked by poll first.
template <class Transfer>
std::size_t transfer_file(int fd, short events, deadline until, std::error_code& error,
                          Transfer transfer) {
  const bool may_end_early = !until.is_never() || sched::slot_here() != nullptr;
  int flags = may_end_early && pollable(fd) ? RWF_NOWAIT : 0;
  return until_ready(fd, events, until, error, [&] {
    const ssize_t result = transfer(flags);
    if (result < 0 && errno == EOPNOTSUPP && flags != 0) {
      flags = 0;
      if (ready_now(fd, events)) return transfer(flags);
      errno = EAGAIN;
    }
    return result;
  });
}

// What a cancellation ends a sleep by.
class sleep_interruption final : public sched::interruptible {
 public:
  // Returns at the deadline, or with 1 when the caller's scope is cancelled.
  static bool sleep(deadline until, sched::wait_slot& slot) {
    sleep_interruption self;
    slot.offer(self);
    while (!sched::cancelled_here() && !until.passed() && self.woken_.load() == 0) {
      base::futex_wait(self.woken_, 0, until);
    }
    if (slot.withdraw(self)) return sched::cancelled_here();
    while (self.woken_.load() == 0) base::futex_wait(self.woken_, 0);
    return true;
  }
  void interrupt() noexcept override {
    woken_.store(1);
    base::futex_wake(woken_);
  }

 private:
  std::atomic<std::uint32_t> woken_{0};
};

msghdr message_of(std::span<const iovec> buffers) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(buffers.data());
  message.msg_iovlen = buffers.size();
  return message;
}

}  // namespace

int accept(descriptor fd, peer_address& peer, deadline until, std::error_code& error) {
  int accepted = -1;
  until_ready(fd, POLLIN, until, error,
              [&]() -> ssize_t { return accepted = accept_one(fd, peer); });
  return error ? -1 : accepted;
}

void connect(descriptor fd, const sockaddr* address, socklen_t size, deadline until,
             std::error_code& error) {
  int result = 0;
  {
    const non_blocking_mode during_the_call(fd);
    result = ::connect(fd, address, size);
  }
  error.clear();
  if (result == 0 || cancelled(error)) return;
  if (errno != EINPROGRESS && errno != EINTR) {
    error = system_error(errno);
    return;
  }
  if (!wait_ready(fd, POLLOUT, until, error)) return;
  int outcome = 0;
  socklen_t outcome_size = sizeof(outcome);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &outcome, &outcome_size) != 0) outcome = errno;
  if (outcome != 0) error = system_error(outcome);
}

std::size_t recv(descriptor fd, std::span<std::byte> into, deadline until, std::error_code& error) {
  return until_ready(fd, POLLIN, until, error,
                     [&] { return ::recv(fd, into.data(), into.size(), MSG_DONTWAIT); });
}

std::size_t send(descriptor fd, std::span<const std::byte> bytes, deadline until,
                 std::error_code& error) {
  // A peer that reads as fast as we write would carry even one call past the deadline, which is
  // looked at in between.
  constexpr std::size_t portion_max = 1024 * 1024;
  error.clear();
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const auto portion = bytes.subspan(sent, std::min(bytes.size() - sent, portion_max));
    sent += until_ready(fd, POLLOUT, until, error, [&] {
      return ::send(fd, portion.data(), portion.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    });
    if (error) break;
    if (sent < bytes.size() && until.passed()) {
      error = system_error(ETIMEDOUT);
      break;
    }
  }
  return sent;
}

std::size_t send_some(descriptor fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error) {
  return thread_calls::send_message(fd, message_of(buffers), until, error);
}

std::size_t recv_some(descriptor fd, std::span<const iovec> buffers, deadline until,
                      std::error_code& error) {
  msghdr message = message_of(buffers);
  return thread_calls::recv_message(fd, message, 0, until, error);
}

std::size_t recv_message(descriptor fd, msghdr& message, int flags, deadline until,
                         std::error_code& error) {
  return until_ready(fd, POLLIN, until, error,
                     [&] { return ::recvmsg(fd, &message, flags | MSG_DONTWAIT); });
}

std::size_t send_message(descriptor fd, const msghdr& message, deadline until,
                         std::error_code& error) {
  return until_ready(fd, POLLOUT, until, error,
                     [&] { return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

void wait_until_ready(descriptor fd, short events, deadline until, std::error_code& error) {
  // ppoll(2) ignores a negative descriptor, and says of one that is not open that it is ready.
  if (::fcntl(fd, F_GETFD) < 0) {
    error = system_error(errno);
    return;
  }
  wait_ready(fd, events, until, error);
}

std::size_t send_then_recv(descriptor fd, std::span<const std::byte> out, std::span<std::byte> into,
                           deadline until, std::error_code& error) {
  exchange_buffers both{out, into};
  return thread_calls::exchange(fd, both, until, error);
}

std::size_t exchange(descriptor fd, exchange_buffers& both, deadline until,
                     std::error_code& error) {
  thread_calls::send(fd, both.out, until, error);
  both.sent = !error;
  return error ? 0 : thread_calls::recv(fd, both.into, until, error);
}

std::size_t read(descriptor fd, std::span<std::byte> into, std::int64_t offset, deadline until,
                 std::error_code& error) {
  const iovec buffer{into.data(), into.size()};
  return thread_calls::read_some(fd, {&buffer, 1}, offset, until, error);
}

std::size_t write(descriptor fd, std::span<const std::byte> bytes, std::int64_t offset,
                  deadline until, std::error_code& error) {
  const iovec buffer{const_cast<std::byte*>(bytes.data()), bytes.size()};
  return thread_calls::write_some(fd, {&buffer, 1}, offset, until, error);
}

std::size_t read_some(descriptor fd, std::span<const iovec> buffers, std::int64_t offset,
                      deadline until, std::error_code& error) {
  const auto count = static_cast<int>(buffers.size());
  return transfer_file(fd, POLLIN, until, error, [&](int flags) {
    return ::preadv2(fd, buffers.data(), count, offset, flags);
  });
}

std::size_t write_some(descriptor fd, std::span<const iovec> buffers, std::int64_t offset,
                       deadline until, std::error_code& error) {
  const auto count = static_cast<int>(buffers.size());
  return transfer_file(fd, POLLOUT, until, error, [&](int flags) {
    const sigpipe_hidden during_the_call;
    return ::pwritev2(fd, buffers.data(), count, offset, flags);
  });
}

void sleep_until(deadline until, std::error_code& error) {
  error.clear();
  if (sched::wait_slot* slot = sched::slot_here()) {
    if (sleep_interruption::sleep(until, *slot)) error = system_error(ECANCELED);
    return;
  }
  if (until.passed()) return;
  // The steady clock is CLOCK_MONOTONIC.
  const timespec when = to_timespec(until.when().time_since_epoch());
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr) == EINTR) {
  }
}

}  // namespace umcg::io::thread_calls
