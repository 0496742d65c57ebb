// SPDX-License-Identifier: MIT
#pragma once

// One preemption signal at a time for each kernel thread. Real-time signals queue: while a kernel
// thread does not get a CPU, or has the signal blocked, each further one would wait there, and in
// the end all would put their frames on one worker's stack.

#include "kernel/usermode/carrier.hpp"

namespace umcg::kernel::usermode {

// The monitor, before it sends one: whether the last that it sent there has been taken, by a
// handler or otherwise. After it has sent one, it says so.
bool took_its_signal(carrier& on) noexcept;
void note_signal(carrier& on) noexcept;

}  // namespace umcg::kernel::usermode
