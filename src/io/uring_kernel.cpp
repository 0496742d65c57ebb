// SPDX-License-Identifier: MIT
#include "io/uring_kernel.hpp"

#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/raw_syscall.hpp"

namespace umcg::io {

__kernel_timespec to_kernel_time(std::chrono::nanoseconds time) noexcept {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  __kernel_timespec result{};
  result.tv_sec = seconds.count();
  result.tv_nsec = std::chrono::nanoseconds(time - seconds).count();
  return result;
}

namespace {

using base::raw_syscall;

constexpr int operations_used[] = {
    IORING_OP_NOP,   IORING_OP_ACCEPT,   IORING_OP_CONNECT,  IORING_OP_RECV,
    IORING_OP_SEND,  IORING_OP_RECVMSG,  IORING_OP_SENDMSG,  IORING_OP_READ,
    IORING_OP_WRITE, IORING_OP_TIMEOUT,  IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL,
    IORING_OP_READV, IORING_OP_WRITEV,   IORING_OP_OPENAT,   IORING_OP_FSYNC,
    IORING_OP_STATX, IORING_OP_RENAMEAT, IORING_OP_UNLINKAT, IORING_OP_MKDIRAT,
};

class linux_kernel final : public uring_kernel {
 public:
  deadline::clock::time_point now() noexcept override { return deadline::clock::now(); }

  int create(io_uring& ring, unsigned entries, io_uring_params& parameters) noexcept override {
    return ::io_uring_queue_init_params(entries, &ring, &parameters);
  }
  void destroy(io_uring& ring) noexcept override { ::io_uring_queue_exit(&ring); }
  int try_out(io_uring& ring) noexcept override;

  int submit(io_uring& ring) noexcept override { return ::io_uring_submit(&ring); }

  int submit_and_wait(io_uring& ring, deadline until) noexcept override {
    if (until.is_never()) return ::io_uring_submit_and_wait(&ring, 1);
    constexpr deadline::clock::duration nothing(0);
    __kernel_timespec left = to_kernel_time(std::max(until.when() - now(), nothing));
    io_uring_cqe* first;
    return ::io_uring_submit_and_wait_timeout(&ring, &first, 1, &left, nullptr);
  }

  int submit_and_get_events(io_uring& ring) noexcept override {
    return ::io_uring_submit_and_get_events(&ring);
  }
  int get_events(io_uring& ring) noexcept override { return ::io_uring_get_events(&ring); }

  int create_bell() noexcept override {
    return static_cast<int>(raw_syscall(SYS_eventfd2, 0, EFD_CLOEXEC));
  }
  void ring_bell(int bell) noexcept override {
    const std::uint64_t one = 1;
    raw_syscall(SYS_write, bell, &one, sizeof one);
  }
  void close(int fd) noexcept override { raw_syscall(SYS_close, fd); }
};

// A seccomp profile may allow a ring to be made and not to be entered.
int linux_kernel::try_out(io_uring& ring) noexcept {
  io_uring_probe* const probe = ::io_uring_get_probe_ring(&ring);
  if (probe == nullptr) return -EINVAL;
  const bool knows_all = std::ranges::all_of(operations_used, [probe](int operation) {
    return ::io_uring_opcode_supported(probe, operation) != 0;
  });
  ::io_uring_free_probe(probe);
  if (!knows_all) return -EOPNOTSUPP;
  io_uring_sqe* const entry = ::io_uring_get_sqe(&ring);
  ::io_uring_prep_nop(entry);
  const int submitted = ::io_uring_submit_and_wait(&ring, 1);
  if (submitted < 0) return submitted;
  io_uring_cqe* completion;
  const int failed = ::io_uring_wait_cqe(&ring, &completion);
  if (failed == 0) ::io_uring_cqe_seen(&ring, completion);
  return failed;
}

}  // namespace

uring_kernel& linux_uring() noexcept {
  static linux_kernel only;
  return only;
}

}  // namespace umcg::io
