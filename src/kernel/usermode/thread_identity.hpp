// SPDX-License-Identifier: MIT
#pragma once

// What makes a thread's TCB its own while other kernel threads run it.
//
// glibc keeps the kernel's thread id in the TCB and takes it for the owner of recursive and
// error-checking mutexes. A worker whose kernel thread has left keeps a virtual thread id there:
// above any id the kernel gives (PID_MAX_LIMIT, 2^22) and within the bits a futex word has for it.

#include <pthread.h>

#include <cstdint>
#include <string>

namespace umcg::kernel::usermode {

// Finds where this C library keeps the thread id, by looking for it in two threads' TCBs; and
// chooses how the thread pointer is set. Once per process; later calls return the same. Empty: all
// is well; otherwise why this machine cannot have the usermode half.
const std::string& examine_machine();

// False on machines that have not been examined, or in vain: then no thread was ever changed.
bool thread_id_field_known() noexcept;
// The TID field in a thread's TCB. After examine_machine().
std::uint32_t* thread_id_field(pthread_t thread) noexcept;

// The address of that field of the thread with a thread pointer; 0: not known.
std::uintptr_t thread_id_address(std::uintptr_t thread_pointer) noexcept;

// On a new thread that is about to give up its kernel thread: takes away from the kernel what it
// would still write into this TCB, blocks every signal (a handler would use a stack that is no
// longer the kernel thread's), and puts a virtual thread id in place.
void give_up_kernel_identity() noexcept;

// On a thread that keeps its kernel thread as home: the CPU number that the kernel left in its rseq
// area is stale as soon as another kernel thread runs it.
void forget_cpu_number() noexcept;

// Blocks every signal on the calling kernel thread, or every one but the C library's own by which
// setuid() and the like reach all threads, and for whose handlers it waits; and puts the earlier
// mask back.
enum class taken_signals { none, c_library };
void block_signals(taken_signals but, std::uint64_t& before) noexcept;
void restore_signals(const std::uint64_t& before) noexcept;

}  // namespace umcg::kernel::usermode
