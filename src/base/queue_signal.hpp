// SPDX-License-Identifier: MIT
#pragma once

// A signal to one kernel thread of this process (rt_tgsigqueueinfo(2)).

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/raw_syscall.hpp"

namespace umcg::base {

// Returns 0 or an error number: EAGAIN when the system's limit on queued signals is reached. That
// the thread has ended is none: whom the signal was for is elsewhere.
inline int queue_signal(pid_t kernel_thread, siginfo_t& signal) noexcept {
  const long result =
      raw_syscall(SYS_rt_tgsigqueueinfo, ::getpid(), kernel_thread, signal.si_signo, &signal);
  return result == -ESRCH ? 0 : static_cast<int>(-result);
}

}  // namespace umcg::base
