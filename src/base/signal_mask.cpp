// SPDX-License-Identifier: MIT
#include "base/signal_mask.hpp"

#include <pthread.h>

#include <initializer_list>

namespace umcg::base {

sigset_t signals_for_others() noexcept {
  sigset_t others;
  sigfillset(&others);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    sigdelset(&others, fault);
  }
  for (int real_time = SIGRTMIN; real_time <= SIGRTMAX; ++real_time) {
    sigdelset(&others, real_time);
  }
  return others;
}

void leave_signals_to_others() noexcept {
  const sigset_t others = signals_for_others();
  ::pthread_sigmask(SIG_BLOCK, &others, nullptr);
}

}  // namespace umcg::base
