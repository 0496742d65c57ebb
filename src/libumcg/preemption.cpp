// SPDX-License-Identifier: MIT
#include "libumcg/preemption.hpp"

#include <signal.h>

#include <atomic>
#include <cerrno>

#include "base/short_lock.hpp"
#include "libumcg/scheduling.hpp"
#include "umcg/libumcg.h"

namespace umcg::libumcg {

namespace {

constexpr int default_signal_offset = 3;

struct installation {
  base::short_lock lock;
  bool done UMCG_GUARDED_BY(lock) = false;
  int signal UMCG_GUARDED_BY(lock) = 0;  // 0: the default
  struct sigaction before {};            // fixed once installed
};
installation installed;
std::atomic<int> signal_in_use{0};

// Hands a signal that is not a request of ours to whoever handled it before.
void pass_on(int signal, siginfo_t* info, void* state) {
  const struct sigaction& before = installed.before;
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, state);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  }
}

void on_signal(int signal, siginfo_t* info, void* state) {
  // Ours come from tgkill in this process; whoever queues one with a value means somebody else.
  if (honour_preempt_request() || info->si_code == SI_TKILL) return;
  pass_on(signal, info, state);
}

}  // namespace

int install_preemption() noexcept {
  base::short_guard guard(installed.lock);
  if (installed.done) return 0;
  const int signal = installed.signal != 0 ? installed.signal : SIGRTMIN + default_signal_offset;
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  // Not blocked while it runs: the handler may leave the carrier for another context.
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  if (::sigaction(signal, &action, &installed.before) != 0) return EBUSY;
  signal_in_use.store(signal);
  installed.done = true;
  return 0;
}

int set_preemption_signal(int signal) noexcept {
  if (signal < SIGRTMIN || signal > SIGRTMAX) return EINVAL;
  base::short_guard guard(installed.lock);
  if (installed.done) return EBUSY;
  installed.signal = signal;
  return 0;
}

int preempt(const task_reference& worker) noexcept {
  task& who = *worker.who;
  if (who.kind != task_kind::worker) return EINVAL;
  if (!who.preemptible) return ENOTSUP;
  switch (who.state.request_preempt(worker.generation)) {
    case preempt_result::not_running:
      return worker.current() ? EAGAIN : ESRCH;
    case preempt_result::asked_before:
      // One signal for each request: real-time signals queue, and each would put a frame on the
      // worker's stack.
      return 0;
    case preempt_result::asked:
      break;
  }
  return who.plug.load()->interrupt(who, signal_in_use.load()).value();
}

}  // namespace umcg::libumcg
