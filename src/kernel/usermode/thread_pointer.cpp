// SPDX-License-Identifier: MIT
#include "kernel/usermode/thread_pointer.hpp"

#include <linux/perf_event.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <asm/prctl.h>
#endif

#include <cstdlib>
#include <string_view>

#include "base/assert.hpp"
#include "kernel/usermode/context.hpp"

namespace umcg::kernel::usermode {

switch_function switch_context = umcg_switch_by_instruction;

namespace {

thread_pointer_method in_use = thread_pointer_method::instruction;

#if defined(__x86_64__)

bool kernel_offers_fsgsbase() noexcept {
  constexpr unsigned long fsgsbase = 2;
  return (::getauxval(AT_HWCAP2) & fsgsbase) != 0;
}

// An event that raises SIGTRAP in the calling kernel thread whenever the kernel has switched away
// from it.
int open_context_switch_event(bool enabled) noexcept {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
  attributes.sample_period = 1;
  attributes.sigtrap = 1;
  attributes.disabled = enabled ? 0 : 1;
  attributes.remove_on_exec = 1;
  return static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

std::string prepare_restoring() {
  const int trial = open_context_switch_event(false);
  if (trial < 0) {
    return "UMCG_THREAD_POINTER=restored needs perf events: run as root, or set sysctl "
           "kernel.perf_event_paranoid=1";
  }
  ::close(trial);
  struct sigaction action {};
  action.sa_sigaction = umcg_restore_thread_pointer;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER;
  // No other handler before this one has written the thread pointer. Another of the same, for a
  // context switch in this handler, writes the same.
  sigfillset(&action.sa_mask);
  sigdelset(&action.sa_mask, SIGTRAP);
  if (::sigaction(SIGTRAP, &action, nullptr) != 0) return "SIGTRAP cannot be handled";
  return {};
}

std::string use(thread_pointer_method method) {
  in_use = method;
  switch (method) {
    case thread_pointer_method::instruction:
      switch_context = umcg_switch_by_instruction;
      return {};
    case thread_pointer_method::system_call:
      switch_context = umcg_switch_by_system_call;
      return {};
    case thread_pointer_method::restored:
      switch_context = umcg_switch_restored;
      return prepare_restoring();
  }
  return {};
}

#endif

}  // namespace

thread_pointer_method thread_pointer_method_in_use() noexcept { return in_use; }

#if defined(__x86_64__)

std::string choose_thread_pointer_method() {
  const char* wanted = std::getenv("UMCG_THREAD_POINTER");
  const std::string_view name = wanted != nullptr ? wanted : "";
  if (name == "system_call") return use(thread_pointer_method::system_call);
  if (name == "restored") return use(thread_pointer_method::restored);
  const bool offered = kernel_offers_fsgsbase();
  if (name == "instruction" && !offered) {
    return "UMCG_THREAD_POINTER=instruction: this kernel does not offer FSGSBASE";
  }
  if (!name.empty() && name != "instruction") {
    return "UMCG_THREAD_POINTER must be instruction, system_call or restored";
  }
  return use(offered ? thread_pointer_method::instruction : thread_pointer_method::system_call);
}

const char* name_of(thread_pointer_method method) noexcept {
  switch (method) {
    case thread_pointer_method::instruction:
      return "wrfsbase";
    case thread_pointer_method::system_call:
      return "arch_prctl (this kernel does not offer FSGSBASE: every switch is a system call)";
    case thread_pointer_method::restored:
      return "wrfsbase, restored after context switches of the kernel";
  }
  return "";
}

void carrier_thread_pointer::set_up() noexcept {
  if (in_use != thread_pointer_method::restored) return;
  current_ = __builtin_thread_pointer();
  UMCG_ASSERT(::syscall(SYS_arch_prctl, ARCH_SET_GS, &current_) == 0);
  event_ = open_context_switch_event(true);
  UMCG_ASSERT(event_ >= 0);
}

void carrier_thread_pointer::tear_down() noexcept {
  if (event_ >= 0) ::close(event_);
  event_ = -1;
}

void carrier_thread_pointer::tell_kernel() noexcept {
  if (event_ < 0) return;
  UMCG_ASSERT(::syscall(SYS_arch_prctl, ARCH_SET_FS, __builtin_thread_pointer()) == 0);
  UMCG_ASSERT(::ioctl(event_, PERF_EVENT_IOC_DISABLE, 0) == 0);
}

void carrier_thread_pointer::keep_from_kernel() noexcept {
  if (event_ >= 0) UMCG_ASSERT(::ioctl(event_, PERF_EVENT_IOC_ENABLE, 0) == 0);
}

#else

std::string choose_thread_pointer_method() { return {}; }
const char* name_of(thread_pointer_method /*method*/) noexcept { return "tpidr_el0"; }
void carrier_thread_pointer::set_up() noexcept {}
void carrier_thread_pointer::tear_down() noexcept {}
void carrier_thread_pointer::tell_kernel() noexcept {}
void carrier_thread_pointer::keep_from_kernel() noexcept {}

#endif

}  // namespace umcg::kernel::usermode
