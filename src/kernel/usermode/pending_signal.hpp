// SPDX-License-Identifier: MIT
#pragma once

// One preemption signal at a time for each kernel thread. Real-time signals queue: while a kernel
// thread does not get a CPU, or has the signal blocked, each further one would wait there, and in
// the end all would put their frames on one worker's stack.

#include "kernel/usermode/carrier.hpp"

namespace umcg::kernel::usermode {

// The monitor, before it sends one: whether the last that it sent there has been taken, by our
// handler or otherwise. About the latter it asks the system, and takes no answer for a no. When it
// has sent one, it says so.
bool may_signal(carrier& on) noexcept;
void note_signal(carrier& on) noexcept;

}  // namespace umcg::kernel::usermode
