// SPDX-License-Identifier: MIT
#include "diagnosis/stack_overflow.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/queue_signal.hpp"
#include "base/raw_syscall.hpp"
#include "diagnosis/attendant.hpp"
#include "diagnosis/inquiry.hpp"
#include "diagnosis/text_writer.hpp"
#include "libumcg/half.hpp"
#include "libumcg/task.hpp"

namespace umcg::diagnosis {

namespace {

struct sigaction handler_before {};
std::atomic<bool> installed{false};

bool is_in_guard(std::uintptr_t address, const libumcg::whereabouts& where) noexcept {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  return where.stack_begin != 0 && address < where.stack_begin &&
         address >= where.stack_begin - page;
}

void report(const libumcg::task& worker, const libumcg::whereabouts& where,
            const void* context) noexcept {
  {
    text_writer out(STDERR_FILENO);
    out << "umcg: stack overflow: worker " << worker.slot << " \"" << worker.name.data()
        << "\" has used up its stack of " << (where.stack_end - where.stack_begin) / 1024
        << " KiB, called from:\n";
  }
  call_stack calls;
  note_interrupted(context, calls);
  print_stack(calls);
}

// As if nobody had looked: the instruction is run again, and the fault is the earlier handler's.
void let_it_happen_again() noexcept { ::sigaction(SIGSEGV, &handler_before, nullptr); }

void pass_on(int signal, siginfo_t* info, void* context) {
  if ((handler_before.sa_flags & SA_SIGINFO) != 0) {
    handler_before.sa_sigaction(signal, info, context);
  } else if (handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN) {
    handler_before.sa_handler(signal);
  } else if (info->si_code > 0 || handler_before.sa_handler == SIG_DFL) {
    let_it_happen_again();
    // One that was sent does not come again by itself.
    if (info->si_code <= 0) {
      base::queue_signal(static_cast<pid_t>(base::raw_syscall(SYS_gettid)), *info);
    }
  }
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const libumcg::task* self = libumcg::current_task;
  if (info->si_code > 0 && self != nullptr && self->kind == libumcg::task_kind::worker) {
    const libumcg::whereabouts where = self->plug.load()->find(*self);
    if (is_in_guard(reinterpret_cast<std::uintptr_t>(info->si_addr), where)) {
      report(*self, where, context);
      return let_it_happen_again();
    }
  }
  pass_on(signal, info, context);
  errno = saved_errno;
}

}  // namespace

// Of SIGSEGV alone. A guard page of ours is a page of private anonymous memory (stack_slab.cpp),
// for which Linux knows no SIGBUS: that is for a page which a file, a device or huge pages cannot
// give, for memory that is broken, and for an address that is none (the x86-64's #SS).
int report_stack_overflows() noexcept {
  if (installed.exchange(true)) return 0;
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  return ::sigaction(SIGSEGV, &action, &handler_before) == 0 ? 0 : errno;
}

}  // namespace umcg::diagnosis
