// SPDX-License-Identifier: MIT
#pragma once

// C++ names for people. What the C++ library has for that calls malloc, which waits for ever when a
// stuck worker owns its lock. So a thread does it that may hang: then it hangs, and names stay as
// linkers know them.

#include <cstddef>
#include <span>
#include <string_view>

#include "umcg/deadline.hpp"

namespace umcg::diagnosis {

// Starts the thread, while malloc works. Returns 0 or an error number.
int start_demangler() noexcept;
// In the child of a fork there is no such thread.
void forget_demangler() noexcept;

// Puts the readable form of `name` into `into` and returns its size; 0: it has none, is too long,
// or did not come before the deadline. One thread at a time.
std::size_t demangle(std::string_view name, std::span<char> into, deadline until) noexcept;

}  // namespace umcg::diagnosis
