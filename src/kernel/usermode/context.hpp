// SPDX-License-Identifier: MIT
#pragma once

// A context is a thread's user-mode state while nobody runs it: the callee-saved registers and the
// floating-point control words on its own stack, the stack pointer that finds them, and the thread
// pointer, through which the thread reaches its own TLS, errno, exception state and pthread_self().
// Any kernel thread can run any context.
//
// The functions are written in assembly (switch_x86_64.S, switch_aarch64.S) and follow one rule:
// once a context is published as saved, the leaving kernel thread touches none of its stack.

#include <signal.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace umcg::kernel::usermode {

struct context {
  void* stack_pointer = nullptr;
  void* thread_pointer = nullptr;
};

// From a saved stack pointer to the frame pointer and the return address that lie above it.
#if defined(__x86_64__)
constexpr std::size_t saved_frame_offset = 48;
#elif defined(__aarch64__)
constexpr std::size_t saved_frame_offset = 80;
#endif

extern "C" {

// One for each thread_pointer_method. Saves the caller in `from`, continues `to`, and hands
// `message` to it. Returns, when someone continues `from`, that one's message.
using switch_function = void* (*)(context* from, const context* to, void* message);
void* umcg_switch_by_instruction(context* from, const context* to, void* message);
void* umcg_switch_by_system_call(context* from, const context* to, void* message);
void* umcg_switch_restored(context* from, const context* to, void* message);
// The handler of SIGTRAP that goes with the last.
void umcg_restore_thread_pointer(int signal, siginfo_t* information, void* state);

// Saves the caller in `from`, sets *saved to 1, wakes its futex and ends the kernel thread. Returns
// on whichever kernel thread continues `from`.
void* umcg_save_and_exit(context* from, std::atomic<std::uint32_t>* saved);

// Saves the caller in `from`, sets *saved to 1, wakes its futex and keeps the kernel thread asleep
// until *home is 1, on a stack that ends at `stack_end`; then continues `from` on it. Returns where
// `from` is continued first, and once more nowhere.
void* umcg_save_and_stay(context* from, std::atomic<std::uint32_t>* saved,
                         std::atomic<std::uint32_t>* home, void* stack_end);

// Makes a new kernel thread that continues `from`, with `child_tid` as its TID field: set now,
// cleared and woken by the kernel when that thread exits. Returns its TID or a negated error
// number.
long umcg_continue_on_new_thread(const context* from, void* message, std::uint32_t* child_tid);
}

// The switch function of the method in use; set by choose_thread_pointer_method().
extern switch_function switch_context;

}  // namespace umcg::kernel::usermode
