// SPDX-License-Identifier: MIT
#pragma once

// How a carrier takes over a context's thread pointer. On AArch64 it is an ordinary register. On
// x86-64 it is the FS base:
//
//   instruction  wrfsbase. Needs a kernel that offers FSGSBASE to user mode (AT_HWCAP2 bit 1) and
//                therefore keeps what the instruction wrote over a context switch.
//   system_call  arch_prctl(ARCH_SET_FS) at each switch. Works everywhere and costs a system call.
//   restored     wrfsbase on a kernel that does not know of it, and puts its own value back at each
//                context switch of the kernel thread. A perf event for context switches sends the
//                carrier a synchronous SIGTRAP before its next user instruction; the handler writes
//                the right value again, which the carrier keeps at %gs:0. Needs the right to open
//                such events (root, CAP_PERFMON or perf_event_paranoid below 2). For measurements
//                only: a context switch while a worker has SIGTRAP blocked, as in pthread_create()
//                or fork(), ends the process. Never chosen unless asked for.
//
// The environment variable UMCG_THREAD_POINTER names a method; without it the first of the upper
// two that works is used.

#include <string>

namespace umcg::kernel::usermode {

enum class thread_pointer_method { instruction, system_call, restored };

// Chooses and sets switch_context. Once, before the first context exists. Returns why it cannot, or
// nothing.
std::string choose_thread_pointer_method();
thread_pointer_method thread_pointer_method_in_use() noexcept;

// For the log.
const char* name_of(thread_pointer_method method) noexcept;

// What a kernel thread that hosts contexts needs for the method in use.
class carrier_thread_pointer {
 public:
  // On the kernel thread itself, before it hosts its first context; and when it hosts no more.
  void set_up() noexcept;
  void tear_down() noexcept;

  // On the kernel thread, around what blocks signals and does not switch contexts: the kernel is
  // told the thread pointer and keeps it by itself.
  void tell_kernel() noexcept;
  void keep_from_kernel() noexcept;

 private:
  void* current_ = nullptr;  // restored: where %gs points
  int event_ = -1;
};

}  // namespace umcg::kernel::usermode
