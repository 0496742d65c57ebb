// SPDX-License-Identifier: MIT
#pragma once

// Seeing what the workers of this process do: a dump of all of them, with names, what each waits
// for and since when, and its stack as functions and lines. For people; its form may change.
//
// It works while every server is stuck, and while stuck workers hold the locks of malloc or stdio:
// a thread of the library's own makes it, which was started with the first group and sleeps in the
// kernel otherwise. Nobody is stopped for it. A worker that runs, or sleeps in a system call, is
// asked for its stack by a real-time signal, SIGRTMIN + 4, which ends those calls that every signal
// ends (poll(2), nanosleep(2): see signal(7)).

#include <signal.h>

#include <string>
#include <system_error>

namespace umcg::diagnosis {

// Writes a dump to `fd`. Blocks until it is written: the calling thread, or the calling worker,
// whose server goes on. Any thread and any worker may call it, not a signal handler. Errors:
// those of write(2), resource_unavailable_try_again (a limit on threads).
void dump_workers(int fd, std::error_code& error);
// Throws std::system_error.
void dump_workers(int fd);

// The same as a string. Errors: also those of memfd_create(2), not_enough_memory.
std::string dump_workers(std::error_code& error);
std::string dump_workers();

// From now on a dump goes to standard error whenever the process gets `signal`; 0: on none. A
// handler that was there before runs as well. Does not block. Errors: invalid_argument (not a
// signal that can be handled).
void dump_on_signal(int signal, std::error_code& error) noexcept;

}  // namespace umcg::diagnosis
