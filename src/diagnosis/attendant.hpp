// SPDX-License-Identifier: MIT
#pragma once

// The thread of diagnosis. It is made while all is well, sleeps in the kernel, and does what it is
// asked to when nothing else of the process may be able to.

#include <cstddef>
#include <cstdint>

#include "diagnosis/call_stack.hpp"

namespace umcg::diagnosis {

// Starts the thread, and what it needs, unless it is there. Any thread. Returns 0 or an error
// number.
int start_attendant() noexcept;

// The thread takes that signal, whose handler is installed, when no other thread does.
void take_signal(int signal) noexcept;

// Asks for a dump to standard error. Signal handlers may call it.
void ask_for_dump() noexcept;

// Asks for a dump and waits for it. Blocks the calling thread. Returns 0 or an error number.
int await_dump(int fd) noexcept;

// Prints the stack of a worker that cannot do so itself, and waits for that a while. For the
// handler of a fault.
void print_stack(const call_stack& calls) noexcept;

// Asks to look whether the workers of some group wait for each other only. Called by a server that
// is about to sleep; cheap when such a look is under way.
void suspect_deadlock() noexcept;

}  // namespace umcg::diagnosis
