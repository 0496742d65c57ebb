// SPDX-License-Identifier: MIT
#pragma once

// What the monitor has to say, on standard error.

#include <chrono>

#include "kernel/usermode/watch.hpp"

namespace umcg::kernel::usermode {

// A worker has blocked its server for so long, and no spare was ready. If there can be no more of
// them, says so, once a second at most; otherwise one is being made.
void report_if_none_is_left(const look_result& saw, std::chrono::nanoseconds blocked_for) noexcept;

}  // namespace umcg::kernel::usermode
