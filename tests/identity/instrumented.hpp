// SPDX-License-Identifier: MIT
#pragma once

// Whether this is a build with a sanitizer: it maps terabytes of address space, has a table of some
// thousand threads, and makes a thread weigh a hundred times more.

namespace umcg::identity {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool instrumented = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool instrumented = true;
#else
constexpr bool instrumented = false;
#endif
#else
constexpr bool instrumented = false;
#endif

}  // namespace umcg::identity
