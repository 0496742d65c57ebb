// SPDX-License-Identifier: MIT
// Condition variables. Workers wait in lines, threads in the C library: who signals looks at both.
#include <cerrno>
#include <optional>

#include "libumcg/scheduling.hpp"
#include "posix/lines.hpp"
#include "posix/locks.hpp"
#include "posix/waiting.hpp"

namespace umcg::posix {

namespace {

// Announces that the C library is going to unlock a mutex; until the thread is back, or is
// cancelled.
class announced_unlock {
 public:
  explicit announced_unlock(pthread_mutex_t& mutex) noexcept {
    lines* const all = all_lines();
    if (all == nullptr || !is_plain(mutex)) return;
    line_ = &all->of(mutex);
    line_->announce(self_.emplace(mutex));
  }
  ~announced_unlock() {
    if (line_ != nullptr) line_->withdraw(*self_);
  }
  announced_unlock(const announced_unlock&) = delete;
  announced_unlock& operator=(const announced_unlock&) = delete;

 private:
  mutex_line* line_ = nullptr;
  std::optional<unseen_unlock> self_;
};

int wait_in_c_library(pthread_cond_t& condition, pthread_mutex_t& mutex, time_limit limit,
                      bool own_clock) {
  const announced_unlock announced(mutex);
  if (limit.at == nullptr) return c_library::wait(condition, mutex);
  if (own_clock) return c_library::timed_wait(condition, mutex, *limit.at);
  return c_library::clock_wait(condition, mutex, limit);
}

// The result; the mutex is unlocked unless it is an error of unlocking it.
int wait_in_line(condition_waiter& self, condition_line& line, pthread_mutex_t& mutex,
                 time_limit limit) noexcept {
  const libumcg::preempt_guard library_code(&self.who);
  waiting waits(self.who, wait_reason::pthread_condition, self.address);
  line.enter(self);
  if (const int failed = unlock(mutex)) {
    line.leave(self);
    return failed;
  }
  while (line.holds(self)) {
    if (has_passed(limit)) return line.leave(self) ? ETIMEDOUT : 0;
    waits.wait(limit);
  }
  return 0;
}

}  // namespace

// The C library first, which touches it: a worker that goes on may destroy it.
int signal_one(pthread_cond_t& condition) noexcept {
  const int result = c_library::signal_one(condition);
  if (lines* const all = all_lines()) all->of(condition).signal_one(&condition);
  return result;
}

int signal_all(pthread_cond_t& condition) noexcept {
  const int result = c_library::signal_all(condition);
  if (lines* const all = all_lines()) all->of(condition).signal_all(&condition);
  return result;
}

int wait(pthread_cond_t& condition, pthread_mutex_t& mutex, time_limit limit, bool own_clock) {
  libumcg::task* const self = worker_here();
  lines* const all = all_lines();
  if (own_clock) limit.clock = clock_of(condition);
  if (self == nullptr || all == nullptr || is_shared(condition) || !is_valid(limit)) {
    return wait_in_c_library(condition, mutex, limit, own_clock);
  }
  condition_waiter here(*self, condition);
  const int result = wait_in_line(here, all->of(condition), mutex, limit);
  if (result != 0 && result != ETIMEDOUT) return result;
  const int locked = lock(mutex, {});
  return locked != 0 ? locked : result;
}

}  // namespace umcg::posix
