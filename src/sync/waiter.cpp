// SPDX-License-Identifier: MIT
#include "sync/waiter.hpp"

#include <utility>

#include "base/futex.hpp"
#include "libumcg/scheduling.hpp"
#include "libumcg/wait_note.hpp"

namespace umcg::sync {

namespace {

libumcg::task_reference caller() noexcept {
  libumcg::task* self = libumcg::current_task;
  if (self == nullptr || self->blocking != 0) return {};
  return libumcg::refer_to(*self);
}

// Ends the sleep of a waiter that may be gone by now, and its word with it.
void rouse(const libumcg::task_reference& task, const std::atomic<std::uint32_t>& word) noexcept {
  if (task.who != nullptr) {
    libumcg::wake(task);
  } else {
    base::futex_wake(word);
  }
}

}  // namespace

waiter::waiter(wait_reason what, const void* subject, std::uintptr_t its_mark) noexcept
    : mark(its_mark), what_(what), subject_(subject), task_(caller()) {}

waiter::waiter(waiter& whose, std::uintptr_t its_mark) noexcept
    : mark(its_mark),
      what_(whose.what_),
      subject_(whose.subject_),
      task_(whose.task_),
      whose_(&whose) {}

bool waiter::claim() noexcept {
  waiter& whole = whose_ != nullptr ? *whose_ : *this;
  if (!whole.election_.claim()) return false;
  whole.claimed_by_ = mark;
  return true;
}

// Until one of the bits is set, or the deadline (0).
std::uint32_t waiter::wait_for(std::uint32_t bits, deadline until) noexcept {
  const libumcg::noted_wait note(
      task_.who,
      {.reason = what_, .subject = reinterpret_cast<std::uintptr_t>(subject_), .until = until});
  for (;;) {
    const std::uint32_t now = state_.look();
    if ((now & bits) != 0 || until.passed()) return now & bits;
    // Either may return early.
    if (task_.who != nullptr) {
      libumcg::wait(*task_.who, until);
    } else {
      base::futex_wait(state_.word(), now, until);
    }
  }
}

signal waiter::wait(deadline until) noexcept {
  const deadline end = sched::bounded(until);
  sched::wait_slot* const slot = sched::slot_here();
  if (slot == nullptr) return waiter_state::signal_of(wait_for(waiter_state::signals, end));
  slot->offer(*this);
  std::uint32_t received = 0;
  if (!sched::cancelled_here()) {
    received = wait_for(waiter_state::signals | waiter_state::interrupted, end);
  }
  if (!slot->withdraw(*this)) wait_for(waiter_state::interrupted, deadline::never());
  return waiter_state::signal_of(received);
}

signal waiter::wait_for_signal() noexcept {
  return waiter_state::signal_of(wait_for(waiter_state::signals, deadline::never()));
}

void waiter::send(signal what) noexcept {
  waiter& told = whose_ != nullptr ? *whose_ : *this;
  const libumcg::task_reference task = task_;
  const std::atomic<std::uint32_t>& word = told.state_.word();
  told.state_.send(what);
  rouse(task, word);
}

void waiter::interrupt() noexcept {
  const libumcg::task_reference task = task_;
  const std::atomic<std::uint32_t>& word = state_.word();
  state_.interrupt();
  rouse(task, word);
}

void waiter_chain::add(waiter& last) noexcept {
  last.next_ = nullptr;
  (first_ == nullptr ? first_ : last_->next_) = &last;
  last_ = &last;
}

void waiter_chain::add_claimed(waiter* all) noexcept {
  while (all != nullptr) {
    waiter& each = *std::exchange(all, all->next_);
    if (each.claim()) add(each);
  }
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
