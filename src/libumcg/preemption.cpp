// SPDX-License-Identifier: MIT
#include "libumcg/preemption.hpp"

#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

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

// The code of the C library and of the loader, where these are objects of their own. A worker that
// is stopped in there may hold the lock of malloc or of the loader; those who want it would each
// block a carrier, and making more of these takes that lock as well.
struct code_range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;

  bool has(std::uintptr_t address) const { return address - begin < end - begin; }
};
std::array<code_range, 4> never_stopped_in{};  // fixed once installed

// Something of each object that is meant. malloc may be of yet another one.
std::array<std::uintptr_t, 3> landmarks() {
  return {reinterpret_cast<std::uintptr_t>(&::malloc),
          reinterpret_cast<std::uintptr_t>(&::pthread_sigmask),
          static_cast<std::uintptr_t>(::getauxval(AT_BASE))};
}

int note_code(dl_phdr_info* object, std::size_t /*size*/, void* state) {
  auto& next = *static_cast<code_range**>(state);
  const bool is_program = next == nullptr;
  if (is_program) next = never_stopped_in.data();
  for (const ElfW(Phdr) & part : std::span(object->dlpi_phdr, object->dlpi_phnum)) {
    if (is_program || part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    const std::uintptr_t begin = object->dlpi_addr + part.p_vaddr;
    const code_range code{begin, begin + part.p_memsz};
    const auto is_here = [&](std::uintptr_t mark) {
      return code.has(mark) || mark == object->dlpi_addr;
    };
    if (std::ranges::none_of(landmarks(), is_here)) continue;
    if (next != never_stopped_in.data() + never_stopped_in.size()) *next++ = code;
  }
  return 0;
}

void find_c_library() {
  code_range* next = nullptr;  // the first object is the program
  ::dl_iterate_phdr(note_code, &next);
}

// Only where the monitor asks, which does so again.
bool is_to_go_on(const ucontext_t& interrupted) {
  const task* self = current_task;
  const group* in = self != nullptr ? self->in.load() : nullptr;
  if (in == nullptr || in->quantum.count() == 0) return false;
#if defined(__x86_64__)
  const auto at = static_cast<std::uintptr_t>(interrupted.uc_mcontext.gregs[REG_RIP]);
#else
  const auto at = static_cast<std::uintptr_t>(interrupted.uc_mcontext.pc);
#endif
  return std::ranges::any_of(never_stopped_in,
                             [at](const code_range& code) { return code.has(at); });
}

void on_signal(int signal, siginfo_t* info, void* state) {
  const bool ours = info->si_code == SI_QUEUE && info->si_value.sival_ptr == &sender_mark;
  if (!ours) return pass_on(signal, info, state);
  auto& interrupted = *static_cast<ucontext_t*>(state);
  const int saved_errno = errno;
  if (task* const self = current_task) self->plug.load()->took_signal(*self);
  // Elsewhere it is left for the worker's next call of the library.
  if (!runs_on_alternate_stack(interrupted) && !is_to_go_on(interrupted)) {
    honour_recall();
    honour_preempt_request();
  }
  // Also when the worker did not leave here: another signal may have come on top of this one.
  keep_what_is_the_carriers(signal, interrupted);
  errno = saved_errno;
}

int send_signal(task& worker) noexcept {
  siginfo_t info{};
  info.si_signo = signal_in_use.load();
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_ptr = &sender_mark;
  return worker.plug.load()->interrupt(worker, info).value();
}

}  // namespace

int install_preemption() noexcept {
  base::short_guard guard(installed.lock);
  if (installed.done) return 0;
  const int signal = installed.signal != 0 ? installed.signal : SIGRTMIN + default_signal_offset;
  find_c_library();
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

int preemption_signal() noexcept { return signal_in_use.load(); }

int preempt(const task_reference& worker, asking how) noexcept {
  task& who = *worker.who;
  const task_kind kind = who.kind;
  if (kind != task_kind::worker) return kind == task_kind::none ? ESRCH : EINVAL;
  if (!who.preemptible) return ENOTSUP;
  switch (who.state.request_preempt(worker.life)) {
    case preempt_result::not_running:
      return worker.current() ? EAGAIN : ESRCH;
    case preempt_result::asked_before:
      // Real-time signals queue, and each would put a frame on the worker's stack.
      if (how == asking::once) return 0;
      break;
    case preempt_result::asked:
      break;
  }
  if (how == asking::silently) return 0;
  const int failed = send_signal(who);
  // Nobody is going to tell the worker: the next request has to.
  if (failed != 0) who.state.take_preempt_request();
  return failed;
}

bool recall(task& worker) noexcept {
  return worker.preemptible && worker.claim.is_taken() && send_signal(worker) == 0;
}

}  // namespace umcg::libumcg
