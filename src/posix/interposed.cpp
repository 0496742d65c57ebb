// SPDX-License-Identifier: MIT
// The names that programs call. Declared by <pthread.h>; exported, unlike all else here.
#include <pthread.h>

#include "posix/locks.hpp"

#define UMCG_INTERPOSED extern "C" [[gnu::visibility("default")]]

UMCG_INTERPOSED int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  return umcg::posix::lock(*mutex, {});
}

UMCG_INTERPOSED int pthread_mutex_timedlock(pthread_mutex_t* mutex,
                                            const timespec* abstime) noexcept {
  return umcg::posix::lock(*mutex, {abstime, CLOCK_REALTIME});
}

UMCG_INTERPOSED int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clockid,
                                            const timespec* abstime) noexcept {
  return umcg::posix::lock(*mutex, {abstime, clockid});
}

UMCG_INTERPOSED int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  return umcg::posix::unlock(*mutex);
}

UMCG_INTERPOSED int pthread_cond_signal(pthread_cond_t* cond) noexcept {
  return umcg::posix::signal_one(*cond);
}

UMCG_INTERPOSED int pthread_cond_broadcast(pthread_cond_t* cond) noexcept {
  return umcg::posix::signal_all(*cond);
}

UMCG_INTERPOSED int pthread_cond_wait(pthread_cond_t* cond, pthread_mutex_t* mutex) {
  return umcg::posix::wait(*cond, *mutex, {}, false);
}

UMCG_INTERPOSED int pthread_cond_timedwait(pthread_cond_t* cond, pthread_mutex_t* mutex,
                                           const timespec* abstime) {
  return umcg::posix::wait(*cond, *mutex, {abstime, CLOCK_REALTIME}, true);
}

UMCG_INTERPOSED int pthread_cond_clockwait(pthread_cond_t* cond, pthread_mutex_t* mutex,
                                           clockid_t clock_id, const timespec* abstime) {
  return umcg::posix::wait(*cond, *mutex, {abstime, clock_id}, false);
}
