// SPDX-License-Identifier: MIT
#include "posix/mutex_line.hpp"

#include <utility>

#include "libumcg/scheduling.hpp"
#include "posix/c_library.hpp"

namespace umcg::posix {

using libumcg::current_task;
using libumcg::preempt_guard;
using libumcg::task;

unseen_unlock::unseen_unlock(pthread_mutex_t& mutex) noexcept
    : address_node(&mutex), owner(owner_of(mutex)) {}

turn mutex_line::enter(mutex_waiter& self) noexcept {
  const base::short_guard guard(lock_);
  const mutex_waiter* const first = waiters_.find(self.address);
  const bool is_demanded = first != nullptr && first->demands;
  if (!is_demanded && is_unlocked_unseen(self.mutex)) return turn::blocks;
  waiters_.push_back(self);
  state_.come();
  return is_demanded ? turn::waits : turn::tries;
}

turn mutex_line::listen_again(mutex_waiter& self) noexcept {
  const base::short_guard guard(lock_);
  const mutex_waiter* const first = waiters_.find(self.address);
  if (first != &self && first->demands) return turn::waits;
  if (is_unlocked_unseen(self.mutex)) {
    take_out(self);
    return turn::blocks;
  }
  if (std::exchange(self.called, false) && !self.demands) {
    self.demands = true;
    state_.demand();
  }
  return turn::tries;
}

void mutex_line::leave(mutex_waiter& self) noexcept {
  const base::short_guard guard(lock_);
  take_out(self);
}

void mutex_line::give_up(mutex_waiter& self) noexcept {
  leave(self);
  if (self.called) call(self.address);
}

void mutex_line::call(const void* mutex) noexcept {
  const preempt_guard library_code(current_task);
  task* called;
  {
    const base::short_guard guard(lock_);
    called = call_first(mutex);
  }
  if (called != nullptr) libumcg::publish_woken(*called);
}

void mutex_line::announce(unseen_unlock& self) noexcept {
  const preempt_guard library_code(current_task);
  task* called;
  {
    const base::short_guard guard(lock_);
    unseen_.push_back(self);
    called = call_first(self.address);
  }
  if (called != nullptr) libumcg::publish_woken(*called);
}

void mutex_line::withdraw(unseen_unlock& self) noexcept {
  const preempt_guard library_code(current_task);
  const base::short_guard guard(lock_);
  unseen_.remove(self);
}

// A worker to publish, which does not go on before that; or null: there is none, or it has not
// stopped yet.
task* mutex_line::call_first(const void* mutex) noexcept {
  mutex_waiter* const first = waiters_.find(mutex);
  if (first == nullptr || first->called) return nullptr;
  first->called = true;
  // Not a wake: a worker's wakes are its own, and are for what it does after this.
  return first->who.state.time_out() ? &first->who : nullptr;
}

// Whether the mutex is about to be unlocked in the C library, or may be: on its way to that, the C
// library forgets the owner first.
bool mutex_line::is_unlocked_unseen(pthread_mutex_t& mutex) const noexcept {
  const unseen_unlock* each = unseen_.find(&mutex);
  if (each == nullptr) return false;
  const int owner = owner_of(mutex);
  while (each != nullptr && owner != 0 && owner != each->owner) each = unseen_.find(&mutex, each);
  return each != nullptr;
}

void mutex_line::take_out(mutex_waiter& self) noexcept {
  waiters_.remove(self);
  state_.go();
  if (!std::exchange(self.demands, false)) return;
  state_.withdraw();
  // Others have got in line behind it without a try: they rely on it.
  self.called = true;
}

}  // namespace umcg::posix
