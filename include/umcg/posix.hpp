// SPDX-License-Identifier: MIT
#pragma once

// Locks of the C library between workers: pthread_mutex_t and pthread_cond_t, and with them
// std::mutex, std::recursive_mutex, std::timed_mutex and std::condition_variable.
//
// They work between workers in any program: a worker that waits for one blocks its kernel thread,
// its server notices that and goes on with others (umcg/hand_off.hpp). In a program that links with
// libumcg-posix (`pkg-config --libs umcg-posix`), or is started with it in LD_PRELOAD, such a
// worker waits as for a umcg::sync::mutex instead: no kernel thread is blocked, no server handed
// off. The library defines the functions of the C library that lock, unlock, wait and signal:
// whoever in the process calls them, calls these.
//
// What is the same: results, errors, clocks, and that a mutex or condition variable may be
// destroyed as soon as POSIX says so. Neither deadline_scope nor cancellation_scope ends such a
// wait, since these functions have no way to say so; pthread_cancel() does not reach a worker that
// waits in one, only a thread.
//
// What is different: of workers that wait for one mutex, the one that waits longest is called when
// it is unlocked; if others are faster, it is next among workers, except for recursive and
// error-checking mutexes, which may be taken by whoever comes. Threads may overtake workers, as in
// the C library they may overtake each other. pthread_cond_signal() lets one worker and one thread
// go on if both wait.
//
// Blocking their kernel threads as before: threads, servers, workers in blocking regions; mutexes
// and condition variables that are shared between processes, since another process unlocks and
// signals unseen; mutexes that are robust or have to do with priorities, since the kernel wakes who
// waits for these; rwlocks, semaphores, barriers and the locks of <threads.h>; the C library's own
// locks, such as those of malloc and of stdio. A worker does so for a moment, too, when a thread
// that waits for a condition variable may own the mutex.
//
// A program with a module that was loaded by dlopen(RTLD_DEEPBIND), or has a C library of its own,
// must not share its locks with that: its unlocking would go unnoticed. A statically linked C
// library is not supported.
//
// Costs, in loadtest/README.md: some nanoseconds for each unlocking, in all threads.

namespace umcg {

// Null if workers wait for locks of the C library as described; otherwise one line that says why
// they block their kernel threads: this C library is not known, or another library stands in front
// of it, as some sanitizers do. Any thread may call it; never blocks.
const char* posix_locks_problem() noexcept;

}  // namespace umcg
