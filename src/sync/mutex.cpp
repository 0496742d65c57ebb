// SPDX-License-Identifier: MIT
#include "umcg/sync/mutex.hpp"

#include "base/assert.hpp"
#include "libumcg/scheduling.hpp"
#include "sync/waiter.hpp"

namespace umcg::sync {

namespace {

// Who owns a mutex. A worker is a thread: it has its own thread pointer wherever it runs, and so
// has every other thread, registered or not. It is the address of an object that is aligned to more
// than the flags need.
std::uintptr_t caller() noexcept {
  return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
}

}  // namespace

void mutex::lock() {
  const std::uintptr_t self = caller();
  if (state_.take(self) || lock_slowly(self, deadline::never())) return;
  sched::report_scope_end(deadline::never());
}

bool mutex::try_lock() noexcept { return state_.take_free(caller()); }

bool mutex::try_lock_until(deadline until) {
  const std::uintptr_t self = caller();
  if (state_.take(self) || lock_slowly(self, until)) return true;
  sched::report_scope_end(until);
  return false;
}

void mutex::unlock() noexcept {
  const std::uintptr_t self = caller();
  if (!state_.let_go(self)) unlock_slowly(self);
}

bool mutex::lock_slowly(std::uintptr_t self, deadline until) noexcept {
  if (state_.take_free(self)) return true;
  UMCG_ASSERT((self & mutex_state::flags) == 0);
  UMCG_ASSERT(state_.owner() != self && "a mutex is locked by its owner");
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter here(wait_reason::mutex, &state_, self);
  {
    const queue_guard line(queue_);
    if (state_.take_or_queue(self)) return true;
    line->push_back(here);
  }
  const auto leave = [this](const queue_guard& line) { state_.leave(!line->empty()); };
  switch (wait_in(queue_, here, until, leave)) {
    case signal::none:
      return false;
    case signal::granted:
      return true;
    case signal::called:
      break;
  }
  return arrive(here, until);
}

// Of one that was called.
bool mutex::arrive(waiter& here, deadline until) noexcept {
  // From here on owners call others again. Without that, all others would wait for ever.
  if (until.passed()) return state_.take_or_decline(here.mark);
  here.listen_again();
  {
    const queue_guard line(queue_);
    if (state_.take_or_demand(here.mark)) return true;
    line->push_front(here);
  }
  const auto withdraw = [this](const queue_guard& line) { state_.withdraw(!line->empty()); };
  return wait_in(queue_, here, until, withdraw) == signal::granted;
}

// Whoever takes the mutex next may destroy it, except while others wait: so it is let go under the
// lock of the line only if there is somebody in it.
void mutex::unlock_slowly(std::uintptr_t self) noexcept {
  UMCG_ASSERT(state_.owner() == self && "a mutex is unlocked by somebody else than its owner");
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter* next = nullptr;
  succession what{};
  while (next == nullptr) {
    if (state_.let_go(self) || state_.let_go_called()) return;
    const queue_guard line(queue_);
    next = line->pop();
    if (next != nullptr) what = state_.let_go_to(next->mark, !line->empty());
  }
  next->send(what == succession::call ? signal::called : signal::granted);
}

}  // namespace umcg::sync
