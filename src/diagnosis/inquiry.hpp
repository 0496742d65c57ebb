// SPDX-License-Identifier: MIT
#pragma once

// Where a worker is that runs: its kernel thread is asked by a real-time signal, whose handler
// notes its own frames. One that does not answer - it sleeps in the kernel where signals cannot
// reach it, or is blocked for them - is looked up in /proc.

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "diagnosis/call_stack.hpp"
#include "diagnosis/code_map.hpp"

namespace umcg::libumcg {
struct task;
}

namespace umcg::diagnosis {

// What /proc/self/task/ID/syscall says.
struct kernel_place {
  enum class where : std::uint8_t { not_known, on_cpu, in_call, in_fault } is = where::not_known;
  long call = -1;  // its number
  std::array<std::uintptr_t, 6> arguments{};
  std::uintptr_t stack_pointer = 0;
  std::uintptr_t program_counter = 0;
};
kernel_place find_in_kernel(pid_t kernel_thread) noexcept;
// How often a CPU has begun to run that thread; 0: the kernel does not say (CONFIG_SCHED_INFO). As
// long as it is the same, the thread has not gone on.
std::uint64_t times_run(pid_t kernel_thread) noexcept;

// Its name without "sys_"; null for one that does not block, or is not known here.
const char* name_of_system_call(long number) noexcept;

// Installs the handler, of SIGRTMIN + 4. Signals of others are passed on to whoever was there
// before. Returns 0 or an error number.
int install_inquiry() noexcept;

// Asks the kernel thread that runs `who`, a worker in that slot of the task table. False: it did
// not answer in time, or somebody else runs there by now. One thread at a time.
bool inquire(const libumcg::task& who, pid_t kernel_thread, code_map& code,
             call_stack& into) noexcept;

// Looks a stack over, from a stack pointer in a function without a frame pointer, for return
// addresses; from the first frame on it follows that.
void guess_frames(std::uintptr_t stack_pointer, code_map& code, call_stack& into) noexcept;

// For the handler of a fault, on its thread.
void note_interrupted(const void* context, call_stack& into) noexcept;

}  // namespace umcg::diagnosis
