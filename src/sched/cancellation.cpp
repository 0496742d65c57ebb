// SPDX-License-Identifier: MIT
#include "umcg/cancellation.hpp"

#include <span>
#include <utility>
#include <vector>

#include "sched/bounds.hpp"
#include "sched/cancellation_node.hpp"

namespace umcg {

using sched::own_bounds;

cancellation_token::cancellation_token(sched::cancellation_node& node) noexcept : node_(&node) {}

cancellation_token::cancellation_token(const cancellation_token& other) noexcept
    : node_(other.node_) {
  if (node_ != nullptr) node_->hold();
}

cancellation_token::cancellation_token(cancellation_token&& other) noexcept
    : node_(std::exchange(other.node_, nullptr)) {}

cancellation_token& cancellation_token::operator=(const cancellation_token& other) noexcept {
  return *this = cancellation_token(other);
}

cancellation_token& cancellation_token::operator=(cancellation_token&& other) noexcept {
  std::swap(node_, other.node_);
  return *this;
}

cancellation_token::~cancellation_token() {
  if (node_ != nullptr) node_->release();
}

bool cancellation_token::cancelled() const noexcept {
  return node_ != nullptr && node_->cancelled();
}

cancellation_source::cancellation_source()
    : cancellation_source(*new sched::cancellation_node({})) {}

cancellation_source::cancellation_source(const cancellation_token& parent)
    : cancellation_source(*new sched::cancellation_node(
          std::span(&parent.node_, parent.node_ != nullptr ? 1 : 0))) {}

cancellation_source cancellation_source::below_scopes() {
  std::vector<sched::cancellation_node*> around;
  for (const cancellation_scope* at = own_bounds.innermost; at != nullptr; at = at->outer()) {
    if (at->token().node_ != nullptr) around.push_back(at->token().node_);
  }
  return cancellation_source(*new sched::cancellation_node(around));
}

void cancellation_source::cancel() noexcept {
  if (token_.node_ != nullptr) token_.node_->cancel();
}

cancellation_scope::cancellation_scope(const cancellation_token& token) noexcept
    : token_(token),
      outer_(std::exchange(own_bounds.innermost, this)),
      slot_(outer_ != nullptr ? outer_->slot() : own_slot_) {
  if (token_.node_ == nullptr) return;
  token_.node_->add(*this);
  if (token_.cancelled()) flag_.cancel();
}

cancellation_scope::~cancellation_scope() {
  if (token_.node_ != nullptr) token_.node_->remove(*this);
  own_bounds.innermost = outer_;
}

bool cancellation_scope::cancelled() noexcept { return sched::cancelled_here(); }

void cancellation_scope::cancel_under_lock(sched::cancelled_calls& found) noexcept {
  flag_.cancel();
  if (sched::interruptible* call = slot_.take()) found.add(*call);
}

}  // namespace umcg
