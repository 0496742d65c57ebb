// SPDX-License-Identifier: MIT
#pragma once

// What the functions of the C library do here: umcg/posix.hpp has it for users. Results and errors
// are those of the functions they stand for.

#include <pthread.h>

#include "posix/c_library.hpp"

namespace umcg::posix {

int lock(pthread_mutex_t& mutex, time_limit limit) noexcept;
int unlock(pthread_mutex_t& mutex) noexcept;

int signal_one(pthread_cond_t& condition) noexcept;
int signal_all(pthread_cond_t& condition) noexcept;
// `own_clock`: the limit is on the condition variable's, whatever it says. Exceptions: on threads,
// those by which the C library cancels one.
int wait(pthread_cond_t& condition, pthread_mutex_t& mutex, time_limit limit, bool own_clock);

}  // namespace umcg::posix
