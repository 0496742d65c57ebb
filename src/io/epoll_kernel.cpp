// SPDX-License-Identifier: MIT
// Raw system calls: the C library's are cancellation points and write errno, which on a server is
// nobody's.
#include "io/epoll_kernel.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>

#include "base/raw_syscall.hpp"

namespace umcg::io {

namespace {

using base::raw_syscall;

// Restarts what a signal has interrupted before it did anything.
template <class... Arguments>
int call(long number, Arguments... arguments) noexcept {
  long result;
  do {
    result = raw_syscall(number, arguments...);
  } while (result == -EINTR);
  return static_cast<int>(result);
}

// A transfer's size as a result that fits into an int.
std::size_t portion(std::size_t size) noexcept {
  return std::min(size, static_cast<std::size_t>(INT32_MAX));
}

int option(int fd, int name) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  const int result = call(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &size);
  return result < 0 ? result : value;
}

class linux_kernel final : public epoll_kernel {
 public:
  deadline::clock::time_point now() noexcept override { return deadline::clock::now(); }

  int create_set() noexcept override { return call(SYS_epoll_create1, EPOLL_CLOEXEC); }

  int control(int set, int what, int fd, std::uint32_t events,
              std::uint64_t data) noexcept override {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.u64 = data;
    return call(SYS_epoll_ctl, set, what, fd, &wanted);
  }

  int wait(int set, std::span<epoll_event> into, deadline until) noexcept override;

  int create_bell() noexcept override { return call(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK); }

  // Nobody reads the count: edge-triggered, each write is an event.
  void ring_bell(int bell) noexcept override {
    const std::uint64_t one = 1;
    call(SYS_write, bell, &one, sizeof one);
  }

  void close(int fd) noexcept override { raw_syscall(SYS_close, fd); }

  int recv(int fd, std::span<std::byte> into) noexcept override {
    return call(SYS_recvfrom, fd, into.data(), portion(into.size()), MSG_DONTWAIT, 0, 0);
  }

  int send(int fd, std::span<const std::byte> bytes) noexcept override {
    return call(SYS_sendto, fd, bytes.data(), portion(bytes.size()), MSG_DONTWAIT | MSG_NOSIGNAL, 0,
                0);
  }

  // ppoll(2) ignores a negative number, and says of one that is no descriptor's that it is ready.
  int poll(int fd, short events) noexcept override {
    if (fd < 0) return -EBADF;
    pollfd looked{fd, events, 0};
    const timespec at_once{};
    const int count = call(SYS_ppoll, &looked, 1, &at_once, 0, 0);
    if (count <= 0) return count;
    return (looked.revents & POLLNVAL) != 0 ? -EBADF : looked.revents;
  }

  int recv_message(int fd, msghdr& message, int flags) noexcept override {
    return call(SYS_recvmsg, fd, &message, flags | MSG_DONTWAIT);
  }

  int send_message(int fd, const msghdr& message) noexcept override {
    return call(SYS_sendmsg, fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  bool is_tcp(int fd) noexcept override { return option(fd, SO_PROTOCOL) == IPPROTO_TCP; }

  int make_non_blocking(int fd) noexcept override {
    const int flags = call(SYS_fcntl, fd, F_GETFL, 0);
    if (flags < 0 || (flags & O_NONBLOCK) != 0) return std::min(flags, 0);
    return call(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
  }

  int accept(int fd, sockaddr* address, socklen_t* size) noexcept override {
    return call(SYS_accept4, fd, address, size, SOCK_CLOEXEC);
  }

  int connect(int fd, const sockaddr* address, socklen_t size) noexcept override;

  int outcome_of_connect(int fd) noexcept override {
    const int outcome = option(fd, SO_ERROR);
    return outcome > 0 ? -outcome : outcome;
  }

  // Of any amount the kernel transfers less than INT32_MAX bytes.
  int read(int fd, std::span<const iovec> into, std::int64_t offset) noexcept override {
    return call(SYS_preadv2, fd, into.data(), into.size(), offset, 0, RWF_NOWAIT);
  }

  int write(int fd, std::span<const iovec> bytes, std::int64_t offset) noexcept override {
    return call(SYS_pwritev2, fd, bytes.data(), bytes.size(), offset, 0, RWF_NOWAIT);
  }

  bool is_regular_file(int fd) noexcept override {
    struct stat about {};
    return call(SYS_newfstatat, fd, "", &about, AT_EMPTY_PATH) == 0 && S_ISREG(about.st_mode);
  }

 private:
  std::atomic<bool> waits_by_nanoseconds_{true};  // epoll_pwait2(2): Linux 5.11
};

// Whole milliseconds, rounded up: not before `until`.
int milliseconds_until(std::chrono::nanoseconds left) noexcept {
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(rounded, INT32_MAX));
}

int linux_kernel::wait(int set, std::span<epoll_event> into, deadline until) noexcept {
  const auto size = static_cast<int>(into.size());
  if (until.is_never()) {
    return static_cast<int>(raw_syscall(SYS_epoll_pwait, set, into.data(), size, -1, 0, 0));
  }
  constexpr std::chrono::nanoseconds nothing(0);
  const bool only_looks = until.when() == deadline::clock::time_point::min();
  const auto left = only_looks ? nothing : std::max(until.when() - now(), nothing);
  if (left > nothing && waits_by_nanoseconds_.load()) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    timespec time{};
    time.tv_sec = seconds.count();
    time.tv_nsec = (left - seconds).count();
    const long count = raw_syscall(SYS_epoll_pwait2, set, into.data(), size, &time, 0, 0);
    if (count != -ENOSYS && count != -EPERM) return static_cast<int>(count);
    waits_by_nanoseconds_.store(false);
  }
  return static_cast<int>(
      raw_syscall(SYS_epoll_pwait, set, into.data(), size, milliseconds_until(left), 0, 0));
}

int linux_kernel::connect(int fd, const sockaddr* address, socklen_t size) noexcept {
  const int flags = call(SYS_fcntl, fd, F_GETFL, 0);
  if (flags < 0) return flags;
  const bool changes = (flags & O_NONBLOCK) == 0;
  if (changes) call(SYS_fcntl, fd, F_SETFL, flags | O_NONBLOCK);
  const auto result = static_cast<int>(raw_syscall(SYS_connect, fd, address, size));
  if (changes) call(SYS_fcntl, fd, F_SETFL, flags);
  return result == -EINTR ? -EINPROGRESS : result;
}

}  // namespace

epoll_kernel& linux_epoll() noexcept {
  static linux_kernel only;
  return only;
}

}  // namespace umcg::io
