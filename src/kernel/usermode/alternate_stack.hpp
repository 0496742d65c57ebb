// SPDX-License-Identifier: MIT
#pragma once

// A stack for the signal handlers of a carrier that ask for one (SA_ONSTACK): the handler of a
// fault in a worker that has used up its own. The kernel keeps it for each kernel thread, not for
// each context.

namespace umcg::kernel::usermode {

// On the carrier's kernel thread. Leaves one that is there already, the user's or a sanitizer's.
void set_up_alternate_stack() noexcept;
// On the same kernel thread and in the same context: takes away what set_up_alternate_stack() made.
void tear_down_alternate_stack() noexcept;

}  // namespace umcg::kernel::usermode
