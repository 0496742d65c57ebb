// SPDX-License-Identifier: MIT
#pragma once

// ThreadSanitizer does not see an order that assembly makes. These two say it: what came before
// release_order(at) happened before what comes after a later acquire_order(at). No code in other
// builds.

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UMCG_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define UMCG_THREAD_SANITIZER 1
#endif

#ifdef UMCG_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace umcg::base {

inline void release_order([[maybe_unused]] void* at) noexcept {
#ifdef UMCG_THREAD_SANITIZER
  __tsan_release(at);
#endif
}

inline void acquire_order([[maybe_unused]] void* at) noexcept {
#ifdef UMCG_THREAD_SANITIZER
  __tsan_acquire(at);
#endif
}

}  // namespace umcg::base
