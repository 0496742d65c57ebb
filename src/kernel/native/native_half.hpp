// SPDX-License-Identifier: MIT
#pragma once

// The half for a kernel that carries the UMCG patches (v0.9.1). Servers and workers are plain
// threads which the kernel knows as such: one umcg_wait passes the CPU from one to the next, and a
// worker that sleeps anywhere else - in any system call, in a page fault - gives its server back
// without having said so. Basic tasks are no business of the kernel's.
//
// Opt-in by name: on any other kernel the numbers of these calls are other calls. And a breach of
// the kernel's rules is SIGKILL, so native_half.cpp says at each step which rule it keeps.
//
// What this half cannot do. A thread in umcg_wait takes no signal: the kernel would drop it. So
// setuid(3) and its like, for which the C library signals every thread, never return: change the
// user before. The kernel does drop one that reaches a worker which has come back and awaits a
// server; a request for preemption then waits for the worker's next call of the library. And when
// the CPU is taken from a worker inside library code, the next sleep of that worker is not seen:
// its server sleeps with it, once.

#include <string>

#include "kernel/native/system_calls.hpp"
#include "libumcg/half.hpp"

namespace umcg::kernel::native {

// The half over the calls of this machine, after the handshake; null with `problem` set to a
// sentence for the user when it cannot be had. There is one instance.
libumcg::half* native_half(std::string& problem);

// A half over any calls; never destroyed, threads may be tasks to the end of the process.
libumcg::half* make_native_half(system_calls& calls, std::string& problem);

}  // namespace umcg::kernel::native
