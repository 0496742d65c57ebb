// SPDX-License-Identifier: MIT
#pragma once

// Preemption by signal. The request is a bit in the worker's state word; the signal only makes the
// worker look at it. The handler runs on the worker's own stack and departs from inside: sound for
// the same reason that a kernel may preempt a thread anywhere, the worker is its own thread. A
// signal that finds no request does nothing. tests/model/preemption_model has every order of
// request, signal and whatever else happens to the worker. The same signal recalls a worker that
// has lost its server (claim_state.hpp).

#include "libumcg/task_table.hpp"

namespace umcg::libumcg {

// Installs the handler once. Returns 0 or an error number.
int install_preemption() noexcept;
int set_preemption_signal(int signal) noexcept;
int preemption_signal() noexcept;  // once it is installed

// Returns 0 or an error number; see umcg_preempt_worker(). One signal for each request, unless it
// is to be sent `again`: in a group with a quantum a worker that the signal finds inside the C
// library, where it may hold a lock that everybody needs, goes on, and honours the request when it
// enters this library, or at the next signal. `silently`: without one; it honours the request when
// it enters this library.
enum class asking { once, again, silently };
int preempt(const task_reference& worker, asking how = asking::once) noexcept;

// Asks a worker that has lost its server, and computes beside that, to come back to the servers: by
// the same signal, whose handler does what its next call of the library would do. False: no signal
// was sent, since it has come back meanwhile or there is none to be had.
bool recall(task& worker) noexcept;

}  // namespace umcg::libumcg
