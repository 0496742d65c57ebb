// SPDX-License-Identifier: MIT
#pragma once

// The half that makes UMCG real on a stock kernel. A task is a thread whose context (context.hpp)
// any kernel thread can run; a kernel thread that does is a carrier. Contexts and carriers know of
// each other only through hosting_state: which one hosts which is decided anew at every switch.
//
// Three kinds of threads become tasks: one that registers as server or basic task brings its kernel
// thread, which is a server's first carrier; one that registers as worker leaves its kernel thread
// asleep as its home; a worker that create() makes gives its kernel thread up altogether and costs
// memory only.

#include <string>

#include "libumcg/half.hpp"

namespace umcg::kernel::usermode {

// The one instance; null with `problem` set to a sentence for the user when this machine cannot
// have it.
libumcg::half* usermode_half(std::string& problem);

}  // namespace umcg::kernel::usermode
