// SPDX-License-Identifier: MIT
#pragma once

// Takes hold of one system call of the calling thread, by a seccomp filter that ends with the
// thread: to see errors that a healthy kernel does not give, and moments that are too short to hit.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "base/unique_fd.hpp"

namespace umcg::net::call_filter {

// A system call by its number, with this first argument; others are not touched.
struct call {
  std::uint32_t number;
  std::uint32_t first_argument;
};

// What seccomp(2) returns: negative where the kernel refuses.
inline int install(call which, std::uint32_t action, unsigned flags) {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, which.number, 0, 3),
      // The low half of a little-endian 64-bit word.
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, which.first_argument, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = sizeof(steps) / sizeof(steps[0]), .filter = steps};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

// From now on the call fails with `error`.
inline bool deny(call which, std::uint32_t error) {
  return install(which, SECCOMP_RET_ERRNO | error, 0) == 0;
}

// From now on the call waits until another thread lets it go on: with the descriptor that this
// returns, or none.
inline base::unique_fd hold(call which) {
  return base::unique_fd(install(which, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER));
}

// Waits for a call that is held. False if none comes.
inline bool wait_for_held(const base::unique_fd& holding, seccomp_notif& held,
                          int milliseconds_max) {
  held = {};
  pollfd waited{holding.get(), POLLIN, 0};
  return ::poll(&waited, 1, milliseconds_max) == 1 &&
         ::ioctl(holding.get(), SECCOMP_IOCTL_NOTIF_RECV, &held) == 0;
}

inline void let_go(const base::unique_fd& holding, const seccomp_notif& held) {
  seccomp_notif_resp answer{};
  answer.id = held.id;
  answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ::ioctl(holding.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

}  // namespace umcg::net::call_filter
