// SPDX-License-Identifier: MIT
#pragma once

// The functions of the C library that those of this room stand in front of, and what is known of
// its locks: the fields that its header declares, since programs contain initialisers of them.
//
// The functions are looked up when the library is loaded, or by the first call if that comes
// earlier. Under a sanitizer they are the sanitizer's own.

#include <pthread.h>
#include <time.h>

#include <atomic>

namespace umcg::posix {

// When a wait ends: a time on a clock of the C library, or never (null).
struct time_limit {
  const timespec* at = nullptr;
  clockid_t clock = CLOCK_MONOTONIC;
};

namespace c_library {

// By timedlock if the limit is on CLOCK_REALTIME, which every C library has for longest.
int lock(pthread_mutex_t& mutex, time_limit limit) noexcept;
int unlock(pthread_mutex_t& mutex) noexcept;
int signal_one(pthread_cond_t& condition) noexcept;
int signal_all(pthread_cond_t& condition) noexcept;
// Cancellation points: an exception of the C library's own may pass through.
int wait(pthread_cond_t& condition, pthread_mutex_t& mutex);
// With the condition variable's own clock.
int timed_wait(pthread_cond_t& condition, pthread_mutex_t& mutex, const timespec& until);
int clock_wait(pthread_cond_t& condition, pthread_mutex_t& mutex, time_limit limit);

// Looks up all of them. Null, or what is missing.
const char* find() noexcept;
// Whether the fields below are where the header says, tried on locks of its own; null, or what is
// wrong.
const char* examine() noexcept;

}  // namespace c_library

// --- fields ---

// Whether workers may wait for it in a line: it is of this process, and nobody inherits priorities
// or a dead owner's mutex by it. Of the others, which promise more, the C library takes care alone.
inline bool is_plain(const pthread_mutex_t& mutex) noexcept {
  constexpr int without_elision = 512;
  const int kind = mutex.__data.__kind & ~without_elision;
  return kind == PTHREAD_MUTEX_TIMED_NP || kind == PTHREAD_MUTEX_RECURSIVE_NP ||
         kind == PTHREAD_MUTEX_ADAPTIVE_NP || kind == PTHREAD_MUTEX_ERRORCHECK_NP;
}
inline bool checks_errors(const pthread_mutex_t& mutex) noexcept {
  constexpr int kinds = 3;
  return (mutex.__data.__kind & kinds) == PTHREAD_MUTEX_ERRORCHECK_NP;
}
inline bool is_recursive(const pthread_mutex_t& mutex) noexcept {
  constexpr int kinds = 3;
  return (mutex.__data.__kind & kinds) == PTHREAD_MUTEX_RECURSIVE_NP;
}
// Of a recursive one, by its owner: how often it has to be unlocked.
inline unsigned depth_of(const pthread_mutex_t& mutex) noexcept { return mutex.__data.__count; }
// The thread id in the owner's TCB; 0: nobody's, or just now taken or let go.
inline int owner_of(pthread_mutex_t& mutex) noexcept {
  return std::atomic_ref<int>(mutex.__data.__owner).load();
}

inline bool is_shared(const pthread_cond_t& condition) noexcept {
  return (condition.__data.__wrefs & 1U) != 0;
}
inline clockid_t clock_of(const pthread_cond_t& condition) noexcept {
  return (condition.__data.__wrefs & 2U) != 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

}  // namespace umcg::posix
