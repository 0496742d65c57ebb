// SPDX-License-Identifier: MIT
#include "sync/waiter.hpp"

#include <utility>

#include "base/futex.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::sync {

namespace {

libumcg::task_reference caller() noexcept {
  libumcg::task* self = libumcg::current_task;
  if (self == nullptr || self->blocking != 0) return {};
  return libumcg::refer_to(*self);
}

}  // namespace

waiter::waiter(std::uintptr_t its_mark) noexcept : mark(its_mark), task_(caller()) {}

signal waiter::wait(deadline until) noexcept {
  for (;;) {
    const signal received = state_.received();
    if (received != signal::none || until.passed()) return received;
    // Either may return early.
    if (task_.who != nullptr) {
      libumcg::wait(*task_.who, until);
    } else {
      base::futex_wait(state_.word(), 0, until);
    }
  }
}

void waiter::send(signal what) noexcept {
  const libumcg::task_reference task = task_;
  state_.send(what);
  if (task.who != nullptr) {
    libumcg::wake(task);
  } else {
    base::futex_wake(state_.word());
  }
}

void waiter_chain::add(waiter& last) noexcept {
  last.next_ = nullptr;
  (first_ == nullptr ? first_ : last_->next_) = &last;
  last_ = &last;
}

void waiter_chain::send(signal what) noexcept {
  while (first_ != nullptr) std::exchange(first_, first_->next_)->send(what);
}

void waiter_list::push_back(waiter& last) noexcept {
  last.next_ = nullptr;
  last.previous_ = std::exchange(last_, &last);
  (last.previous_ != nullptr ? last.previous_->next_ : first_) = &last;
  last.round_ = round_;
  last.listed_ = true;
}

void waiter_list::push_front(waiter& first) noexcept {
  first.previous_ = nullptr;
  first.next_ = std::exchange(first_, &first);
  (first.next_ != nullptr ? first.next_->previous_ : last_) = &first;
  first.round_ = round_;
  first.listed_ = true;
}

waiter* waiter_list::pop() noexcept {
  waiter* const taken = first_;
  if (taken != nullptr) remove(*taken);
  return taken;
}

waiter* waiter_list::take_all() noexcept {
  ++round_;
  last_ = nullptr;
  return std::exchange(first_, nullptr);
}

bool waiter_list::remove(waiter& one) noexcept {
  if (!one.listed_ || one.round_ != round_) return false;
  one.listed_ = false;
  (one.previous_ != nullptr ? one.previous_->next_ : first_) = one.next_;
  (one.next_ != nullptr ? one.next_->previous_ : last_) = one.previous_;
  return true;
}

}  // namespace umcg::sync
