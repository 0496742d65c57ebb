// SPDX-License-Identifier: MIT
#pragma once

// Clang's thread-safety attributes: the compiler checks which fields need which lock. Empty for
// other compilers.

#if defined(__clang__)
#define UMCG_ATTRIBUTE(x) __attribute__((x))
#else
#define UMCG_ATTRIBUTE(x)
#endif

#define UMCG_CAPABILITY(name) UMCG_ATTRIBUTE(capability(name))
#define UMCG_SCOPED_CAPABILITY UMCG_ATTRIBUTE(scoped_lockable)
#define UMCG_GUARDED_BY(lock) UMCG_ATTRIBUTE(guarded_by(lock))
#define UMCG_ACQUIRE(...) UMCG_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define UMCG_RELEASE(...) UMCG_ATTRIBUTE(release_capability(__VA_ARGS__))
#define UMCG_REQUIRES(...) UMCG_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define UMCG_UNCHECKED UMCG_ATTRIBUTE(no_thread_safety_analysis)
#define UMCG_EXCLUDES(...) UMCG_ATTRIBUTE(locks_excluded(__VA_ARGS__))
