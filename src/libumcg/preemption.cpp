// SPDX-License-Identifier: MIT
#include "libumcg/preemption.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

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

// What tells our signals from others': they are queued with the address of this.
constinit std::byte sender_mark{};

// Hands a signal that is not a request of ours to whoever handled it before.
void pass_on(int signal, siginfo_t* info, void* state) {
  const struct sigaction& before = installed.before;
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, state);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  }
}

// A handler of the user's that was interrupted: its stack is the carrier's and stays with that.
bool runs_on_alternate_stack(const ucontext_t& interrupted) {
  if ((interrupted.uc_stack.ss_flags & SS_DISABLE) != 0) return false;
  const auto here = reinterpret_cast<std::uintptr_t>(&interrupted);
  const auto begin = reinterpret_cast<std::uintptr_t>(interrupted.uc_stack.ss_sp);
  return here - begin < interrupted.uc_stack.ss_size;
}

// The return from the handler puts the signal mask and the alternate stack of the carrier that was
// interrupted back. The worker may be on another one, which keeps its own: from the first call here
// to the end of the return no other preemption takes the worker elsewhere.
void keep_what_is_the_carriers(int signal, ucontext_t& interrupted) {
  const std::uint64_t blocked = std::uint64_t{1} << (signal - 1);
  ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, &interrupted.uc_sigmask, sizeof blocked);
  ::sigaltstack(nullptr, &interrupted.uc_stack);
}

void on_signal(int signal, siginfo_t* info, void* state) {
  const bool ours = info->si_code == SI_QUEUE && info->si_value.sival_ptr == &sender_mark;
  if (!ours) return pass_on(signal, info, state);
  auto& interrupted = *static_cast<ucontext_t*>(state);
  const int saved_errno = errno;
  // Left for the worker's next call of the library.
  if (runs_on_alternate_stack(interrupted)) return;
  honour_preempt_request();
  // Also when there was no request: another signal may have come on top of this one.
  keep_what_is_the_carriers(signal, interrupted);
  errno = saved_errno;
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
  const task_kind kind = who.kind;
  if (kind != task_kind::worker) return kind == task_kind::none ? ESRCH : EINVAL;
  if (!who.preemptible) return ENOTSUP;
  switch (who.state.request_preempt(worker.life)) {
    case preempt_result::not_running:
      return worker.current() ? EAGAIN : ESRCH;
    case preempt_result::asked_before:
      // One signal for each request: real-time signals queue, and each would put a frame on the
      // worker's stack.
      return 0;
    case preempt_result::asked:
      break;
  }
  siginfo_t info{};
  info.si_signo = signal_in_use.load();
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_ptr = &sender_mark;
  const int failed = who.plug.load()->interrupt(who, info).value();
  // Nobody is going to tell the worker: the next request has to.
  if (failed != 0) who.state.take_preempt_request();
  return failed;
}

}  // namespace umcg::libumcg
