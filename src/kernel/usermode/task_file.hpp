// SPDX-License-Identifier: MIT
#pragma once

// Files of /proc/self/task: what the system tells of the kernel threads of this process.

#include <sys/types.h>

#include <string_view>

namespace umcg::kernel::usermode {

// Opens one for reading: "syscall", "status". Returns a descriptor, or a negative error number.
int open_task_file(pid_t kernel_thread, std::string_view name) noexcept;

}  // namespace umcg::kernel::usermode
