// SPDX-License-Identifier: MIT
#pragma once

// The kernel drops signals that reach a thread in umcg_wait; blocked ones it keeps for later. Every
// signal, also those that the C library has for itself and pthread_sigmask leaves alone.

#include <signal.h>
#include <sys/syscall.h>

#include <cstdint>

#include "base/raw_syscall.hpp"

namespace umcg::kernel::native {

class signals_kept {
 public:
  signals_kept() noexcept {
    const std::uint64_t every = ~std::uint64_t{0};
    base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &every, &before_, sizeof every);
  }
  ~signals_kept() {
    base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, sizeof before_);
  }
  signals_kept(const signals_kept&) = delete;
  signals_kept& operator=(const signals_kept&) = delete;

 private:
  std::uint64_t before_ = 0;
};

}  // namespace umcg::kernel::native
