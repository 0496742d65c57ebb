// SPDX-License-Identifier: MIT
// pthread_getattr_np() for workers. glibc asks the kernel for the affinity of the thread id in the
// TCB and reports ESRCH where no kernel thread has it, although all else it reports, the stack's
// bounds above all, is right. This definition comes before the C library's in every program that
// uses umcg; for a calling worker it lends the field the id of the kernel thread that runs it, and
// for everybody else it only passes the call on.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>

#include <atomic>
#include <utility>

#include "base/raw_syscall.hpp"
#include "kernel/usermode/thread_identity.hpp"
#include "libumcg/scheduling.hpp"

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's are reserved
extern "C" int pthread_getattr_np(pthread_t thread, pthread_attr_t* attributes) noexcept {
  using real_function = int (*)(pthread_t, pthread_attr_t*);
  // Atomic and not a guarded static: ThreadSanitizer calls this while it starts a thread, and sees
  // no guards yet.
  static constinit std::atomic<real_function> found = nullptr;
  real_function real = found.load();
  if (real == nullptr) {
    real = reinterpret_cast<real_function>(::dlsym(RTLD_NEXT, "pthread_getattr_np"));
    found.store(real);
  }
  umcg::libumcg::task* self = umcg::libumcg::current_task;
  const bool is_worker = self != nullptr && self->kind == umcg::libumcg::task_kind::worker;
  if (!is_worker || !umcg::kernel::usermode::thread_id_field_known() ||
      ::pthread_equal(thread, ::pthread_self()) == 0) {
    return real(thread, attributes);
  }
  const umcg::libumcg::preempt_guard guard(self);
  std::uint32_t& id = *umcg::kernel::usermode::thread_id_field(thread);
  const std::uint32_t own =
      std::exchange(id, static_cast<std::uint32_t>(umcg::base::raw_syscall(SYS_gettid)));
  const int result = real(thread, attributes);
  id = own;
  return result;
}
