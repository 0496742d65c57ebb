// SPDX-License-Identifier: MIT
#pragma once

// Who is a task: registration, unregistration, and what happens to a registered thread that ends or
// forks.

#include <cstdint>
#include <system_error>

#include "libumcg/group.hpp"
#include "libumcg/task.hpp"

namespace umcg::libumcg {

// The calling thread's slot in the task table, made at the first call; null when memory is
// exhausted.
task* own_slot() noexcept;

// The calling thread becomes a task. Returns 0 or an error number; see <umcg/libumcg.h>.
int register_basic(half& plug, std::intptr_t tag) noexcept;
int register_worker(group& in, std::intptr_t tag) noexcept;
int register_server(group& in, std::intptr_t tag) noexcept;
// `why` is what a worker's server learns.
int unregister(stop why = stop::unregistered) noexcept;

}  // namespace umcg::libumcg
