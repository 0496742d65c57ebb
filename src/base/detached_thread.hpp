// SPDX-License-Identifier: MIT
#pragma once

// Threads of the library's own beside servers and carriers.

#include <cstddef>

namespace umcg::base {

// Starts a thread that nobody joins, with every signal blocked. It may have ended when this
// returns, so what is still to be done to it, it does to itself. Returns 0 or an error number:
// EAGAIN at a limit of the system.
int start_detached_thread(std::size_t stack_size_bytes, void* (*main)(void*),
                          void* argument) noexcept;

// Of the calling thread, for debuggers and top(1). At most 15 characters.
void name_this_thread(const char* name) noexcept;

}  // namespace umcg::base
