// SPDX-License-Identifier: MIT
#pragma once

// What is said of a worker that blocks its server while there is no carrier for a hand-off. The
// half calls this, at most once a second; the layer of diagnosis, which can say where the worker
// is, puts its own in place of a line on standard error.

#include <atomic>
#include <string_view>

namespace umcg::libumcg {

struct task;

// `line` ends with a newline. Called by a thread of the half's own; does not wait.
using blocked_report = void (*)(task& worker, std::string_view line) noexcept;
extern std::atomic<blocked_report> report_blocked;

}  // namespace umcg::libumcg
