// SPDX-License-Identifier: MIT
#pragma once

// A worker that uses up its stack runs into the guard page below it: SIGSEGV, like any other
// program error, with nothing to say which worker it was and that its stack was too small.

namespace umcg::diagnosis {

// From now on such a fault writes a line to standard error, with the worker's name and the size of
// its stack, and its innermost frames; and then happens again, as if nobody had looked: whoever
// handled it before handles it, or the process ends as by any SIGSEGV, with the fault in its core.
// Other faults go to whoever handled them before. Known are stacks of spawned workers that run on
// carriers, which have a stack for the handler. Returns 0 or an error number.
int report_stack_overflows() noexcept;

}  // namespace umcg::diagnosis
