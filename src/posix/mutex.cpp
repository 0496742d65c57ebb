// SPDX-License-Identifier: MIT
// Locking and unlocking. Whoever finds a mutex free, and whoever unlocks one that no worker waits
// for, does what the C library does, and looks at one word besides.
#include <cerrno>

#include "libumcg/scheduling.hpp"
#include "posix/lines.hpp"
#include "posix/locks.hpp"
#include "posix/waiting.hpp"

namespace umcg::posix {

namespace {

int try_again(mutex_waiter& self) noexcept {
  line_state::before_trying();
  return ::pthread_mutex_trylock(&self.mutex);
}

// The result; EBUSY: the mutex is to be locked in the C library.
int wait_in_line(mutex_waiter& self, mutex_line& line, time_limit limit) noexcept {
  const libumcg::preempt_guard library_code(&self.who);
  waiting waits(self.who, wait_reason::pthread_mutex, self.address);
  turn next = line.enter(self);
  int result = EBUSY;
  while (next != turn::blocks) {
    // At its deadline it takes a mutex that is free, whoever is before it: POSIX wants that.
    const bool passed = has_passed(limit);
    if (next == turn::tries || passed) result = try_again(self);
    if (result != EBUSY) break;
    if (passed) {
      line.give_up(self);
      return ETIMEDOUT;
    }
    if (waits.wait(limit)) result = ::pthread_mutex_trylock(&self.mutex);
    if (result != EBUSY) break;
    next = line.listen_again(self);
  }
  if (result != EBUSY) line.leave(self);
  return result;
}

int lock_in_line(libumcg::task& self, pthread_mutex_t& mutex, mutex_line& line,
                 time_limit limit) noexcept {
  mutex_waiter here(self, mutex);
  int result = wait_in_line(here, line, limit);
  if (result != EBUSY) return result;
  result = c_library::lock(mutex, limit);
  if (result != 0 && here.called) line.call(&mutex);
  return result;
}

// Of a mutex that checks errors: EDEADLK if the caller owns it. The C library says so at once,
// since with a limit that has passed it waits for nobody; ETIMEDOUT: it is another's.
int lock_or_say_whose(pthread_mutex_t& mutex) noexcept {
  constexpr timespec long_ago{};
  return c_library::lock(mutex, {&long_ago, CLOCK_REALTIME});
}

}  // namespace

int lock(pthread_mutex_t& mutex, time_limit limit) noexcept {
  lines* const all = all_lines();
  if (libumcg::current_task == nullptr || all == nullptr) return c_library::lock(mutex, limit);
  mutex_line& line = all->of(mutex);
  // Who owns a recursive one already does not wait for anybody.
  if (!line.anybody_demands() || is_recursive(mutex)) [[likely]] {
    const int result = ::pthread_mutex_trylock(&mutex);
    if (result != EBUSY) return result;
  }
  libumcg::task* const self = worker_here();
  if (self == nullptr || !is_plain(mutex) || !is_valid(limit)) {
    return c_library::lock(mutex, limit);
  }
  if (checks_errors(mutex)) {
    const int result = lock_or_say_whose(mutex);
    if (result != ETIMEDOUT) return result;
  }
  return lock_in_line(*self, mutex, line, limit);
}

// Once it is unlocked others may destroy it: after that it is an address.
int unlock(pthread_mutex_t& mutex) noexcept {
  const bool stays_locked = is_recursive(mutex) && depth_of(mutex) > 1;
  lines* const all = all_lines();
  mutex_line* const line = all != nullptr ? &all->of(mutex) : nullptr;
  const int result = c_library::unlock(mutex);
  if (line != nullptr && result == 0 && !stays_locked) line->unlocked(&mutex);
  return result;
}

}  // namespace umcg::posix
