// SPDX-License-Identifier: MIT
#include "posix/condition_line.hpp"

#include "libumcg/scheduling.hpp"

namespace umcg::posix {

void condition_line::enter(condition_waiter& self) noexcept {
  const base::short_guard guard(lock_);
  waiters_.push_back(self);
  state_.come();
}

bool condition_line::holds(const condition_waiter& self) noexcept {
  const base::short_guard guard(lock_);
  return self.listed;
}

bool condition_line::leave(condition_waiter& self) noexcept {
  const base::short_guard guard(lock_);
  if (!self.listed) return false;
  waiters_.remove(self);
  state_.go();
  return true;
}

// Who is taken out and has not stopped yet may go on at once, and its waiter may be gone; who has
// stopped goes on when it is published.
void condition_line::signal(const void* condition, bool all) noexcept {
  const libumcg::preempt_guard library_code(libumcg::current_task);
  libumcg::task_chain stopped;
  {
    const base::short_guard guard(lock_);
    condition_waiter* each = waiters_.find(condition);
    while (each != nullptr) {
      condition_waiter& told = *each;
      each = all ? waiters_.find(condition, each) : nullptr;
      waiters_.remove(told);
      state_.go();
      if (told.who.state.time_out()) stopped.push(told.who);
    }
  }
  while (libumcg::task* worker = stopped.pop()) libumcg::publish_woken(*worker);
}

}  // namespace umcg::posix
