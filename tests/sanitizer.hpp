// SPDX-License-Identifier: MIT
#pragma once

// Which sanitizer a test was built with. Instrumented code is up to twenty times slower, maps
// terabytes of address space, and makes a thread weigh a hundred times more.

#if defined(__SANITIZE_THREAD__)
#define UMCG_TEST_THREAD_SANITIZER 1
#elif defined(__SANITIZE_ADDRESS__)
#define UMCG_TEST_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UMCG_TEST_THREAD_SANITIZER 1
#elif __has_feature(address_sanitizer)
#define UMCG_TEST_ADDRESS_SANITIZER 1
#endif
#endif

namespace umcg::testing {

#ifdef UMCG_TEST_THREAD_SANITIZER
inline constexpr bool thread_sanitizer = true;
#else
inline constexpr bool thread_sanitizer = false;
#endif
#ifdef UMCG_TEST_ADDRESS_SANITIZER
inline constexpr bool address_sanitizer = true;
#else
inline constexpr bool address_sanitizer = false;
#endif
inline constexpr bool instrumented = thread_sanitizer || address_sanitizer;

}  // namespace umcg::testing
