// SPDX-License-Identifier: MIT
#pragma once

// How every blocking call of the io layer on a worker is made.

#include "io/reactor.hpp"
#include "umcg/deadline.hpp"

namespace umcg::io {

// Blocks the calling worker, which has a server (reactor_here()), until `wanted` is complete;
// performs it again for as long as a signal interrupts it. The deadlines and cancellations of
// scopes end it as well as `until`.
void perform(operation& wanted, deadline until) noexcept;

}  // namespace umcg::io
