// SPDX-License-Identifier: MIT
#pragma once

// Workers that have lost their servers, because they blocked or defied their quantum, and compute:
// each does so on a carrier of its own, beside the servers, and takes a share of the CPUs that is
// nobody's to give. The monitor recalls those that do it for longer than a quantum. Who blocks, or
// calls the library now and then, is left alone: a signal could end its system call early, and it
// comes back by itself.

#include "kernel/usermode/carrier.hpp"
#include "umcg/deadline.hpp"

namespace umcg::kernel::usermode {

// On that carrier a worker has just lost its server. By whoever has taken it, before the worker can
// be switched to.
void note_lost_server(carrier& on) noexcept;

// The monitor, in each tick. Looks at a few of those that were noted, in turn: each look at one
// that sleeps is a system call, and there may be a thousand. Returns whether one of them computes:
// then the monitor goes on looking even if all servers are parked. (One that sleeps does not keep
// it awake; if it computes later, it is recalled when a server goes on.)
bool recall_who_computes(deadline::clock::time_point now) noexcept;

// In a child made by fork().
void forget_recalls() noexcept;

}  // namespace umcg::kernel::usermode
