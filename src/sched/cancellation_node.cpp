// SPDX-License-Identifier: MIT
#include "sched/cancellation_node.hpp"

#include <utility>

#include "libumcg/scheduling.hpp"

namespace umcg::sched {

namespace {

// As many are told while the lock is held once.
constexpr int batch_max = 16;

}  // namespace

void cancelled_calls::add(interruptible& call) noexcept {
  call.next = std::exchange(calls_, &call);
}

void cancelled_calls::add(cancellation_node& node) noexcept {
  node.next_found_ = std::exchange(nodes_, &node);
}

void cancelled_calls::interrupt_all() noexcept {
  while (calls_ != nullptr) std::exchange(calls_, calls_->next)->interrupt();
}

cancellation_node* cancelled_calls::next_node() noexcept {
  return nodes_ == nullptr ? nullptr : std::exchange(nodes_, nodes_->next_found_);
}

void cancellation_node::link::join(cancellation_node& child, cancellation_node& parent) noexcept {
  child_ = &child;
  parent_ = &parent;
  parent.hold();
  parent.add(*this);
}

cancellation_node::link::~link() {
  if (parent_ == nullptr) return;
  parent_->remove(*this);
  parent_->release();
}

// The child is whole, since it leaves the list before it goes; but nobody may hold it any more.
void cancellation_node::link::cancel_under_lock(cancelled_calls& found) noexcept {
  if (!child_->cancelled_.exchange(true) && child_->hold_if_alive()) found.add(*child_);
}

// Once it has joined the first list others may hold it, so nothing fails from there on.
cancellation_node::cancellation_node(std::span<cancellation_node* const> parents)
    : parents_(parents.empty() ? nullptr : new link[parents.size()]) {
  for (std::size_t at = 0; at < parents.size(); ++at) {
    parents_[at].join(*this, *parents[at]);
    if (parents[at]->cancelled()) cancelled_.store(true);
  }
}

bool cancellation_node::hold_if_alive() noexcept {
  std::uint32_t count = references_.load();
  while (count != 0 && !references_.compare_exchange_weak(count, count + 1)) {
  }
  return count != 0;
}

void cancellation_node::release() noexcept {
  if (references_.fetch_sub(1) == 1) delete this;
}

void cancellation_node::add(cancellation_listener& listener) noexcept {
  const libumcg::preempt_guard library_code(libumcg::current_task);
  const base::short_guard guard(lock_);
  listener.previous_ = nullptr;
  listener.next_ = std::exchange(first_, &listener);
  if (listener.next_ != nullptr) listener.next_->previous_ = &listener;
  listener.listed_ = true;
}

void cancellation_node::remove(cancellation_listener& listener) noexcept {
  const libumcg::preempt_guard library_code(libumcg::current_task);
  const base::short_guard guard(lock_);
  if (!std::exchange(listener.listed_, false)) return;
  (listener.previous_ != nullptr ? listener.previous_->next_ : first_) = listener.next_;
  if (listener.next_ != nullptr) listener.next_->previous_ = listener.previous_;
}

void cancellation_node::cancel() noexcept {
  if (cancelled_.exchange(true)) return;
  cancelled_calls found;
  tell_all(found);
  while (cancellation_node* below = found.next_node()) {
    below->tell_all(found);
    below->release();
  }
}

void cancellation_node::tell_all(cancelled_calls& found) noexcept {
  bool more = true;
  while (more) {
    const libumcg::preempt_guard library_code(libumcg::current_task);
    more = tell_some(found);
    found.interrupt_all();
  }
}

bool cancellation_node::tell_some(cancelled_calls& found) noexcept {
  const base::short_guard guard(lock_);
  for (int left = batch_max; left > 0 && first_ != nullptr; --left) {
    cancellation_listener& told = *std::exchange(first_, first_->next_);
    if (first_ != nullptr) first_->previous_ = nullptr;
    told.listed_ = false;
    told.cancel_under_lock(found);
  }
  return first_ != nullptr;
}

}  // namespace umcg::sched
