// SPDX-License-Identifier: MIT
#pragma once

// The reference half: every task stays the kernel thread it is, and whoever continues another hands
// it the turn and sleeps until it is given one. Works wherever there are threads and futexes, with
// every debugger and sanitizer; a switch costs two system calls and a detour through the kernel's
// scheduler.

#include "libumcg/half.hpp"

namespace umcg::kernel::futex {

// The one instance.
libumcg::half& futex_half();

}  // namespace umcg::kernel::futex
