// SPDX-License-Identifier: MIT
#pragma once

// UMCG_ASSERT states what must hold whatever users and networks do. It is on in release builds: a
// broken invariant of a scheduler is reported where it breaks, not where it is felt.

#define UMCG_ASSERT(condition)                       \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::umcg::base::assert_failed(#condition, __FILE__, __LINE__))

namespace umcg::base {

// Prints the broken condition to standard error and aborts.
[[noreturn]] void assert_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace umcg::base
