// SPDX-License-Identifier: MIT
#pragma once

// On which CPUs carriers run. A spare that is kept for a server is bound to the CPU that the server
// is on: the doorbell calls it from there, and it need not wait for another CPU to come out of its
// sleep (40 us on a virtual machine). What has been called is soon let go again, to where its
// server may run; by the monitor, since that takes a system call.

#include "kernel/usermode/carrier.hpp"

namespace umcg::kernel::usermode {

// The CPU that a carrier is on or was last; -1: not known.
int cpu_of(const carrier& on) noexcept;

// A spare that the caller has taken.
void bind_to_cpu(carrier& spare, int cpu) noexcept;
// May run where that server's home may.
void let_run_as(carrier& called, const watch& of) noexcept;
// The carrier itself, when it has been called and hosts a server: it is to run where that may.
void note_called(carrier& called) noexcept;
// The monitor.
void move_called() noexcept;

// In a child made by fork().
void forget_called() noexcept;

}  // namespace umcg::kernel::usermode
