// SPDX-License-Identifier: MIT
#pragma once

// Preemption by signal. The request is a bit in the worker's state word; the signal only makes the
// worker look at it. The handler runs on the worker's own stack and departs from inside: sound for
// the same reason that a kernel may preempt a thread anywhere, the worker is its own thread. A
// signal that finds no request does nothing. tests/model/preemption_model has every order of
// request, signal and whatever else happens to the worker.

#include "libumcg/task_table.hpp"

namespace umcg::libumcg {

// Installs the handler once. Returns 0 or an error number.
int install_preemption() noexcept;
int set_preemption_signal(int signal) noexcept;

// Returns 0 or an error number; see umcg_preempt_worker().
int preempt(const task_reference& worker) noexcept;

}  // namespace umcg::libumcg
