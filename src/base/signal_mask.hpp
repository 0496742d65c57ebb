// SPDX-License-Identifier: MIT
#pragma once

// Which signals the threads that run workers take.

#include <signal.h>

namespace umcg::base {

// What a server, a carrier and a worker's own thread do not take: signals meant for the process go
// to the program's own threads, since here a handler would run on the stack of whichever worker is
// there. Faults stay with the worker that makes them, and preemption needs a real-time signal.
sigset_t signals_for_others() noexcept;

// The calling thread takes none of these any more.
void leave_signals_to_others() noexcept;

}  // namespace umcg::base
