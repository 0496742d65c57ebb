// SPDX-License-Identifier: MIT
#pragma once

// Whether a kernel carries the UMCG patches.
//
// Their numbers belong to other calls today: 450 is set_mempolicy_home_node, which answers EINVAL
// to nearly everything, also to what the published library asks to find out. So a thread is really
// registered: the other call takes the flag for an address that is not aligned, refuses, and has
// done nothing. The number of umcg_wait is not used before all that is asked of umcg_ctl has been
// answered as only UMCG does.

#include <string>

#include "kernel/native/system_calls.hpp"

namespace umcg::kernel::native {

// On a thread of its own, which ends with it. Empty: it does; otherwise what is missing.
std::string examine_kernel(system_calls& calls);

}  // namespace umcg::kernel::native
