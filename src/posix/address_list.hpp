// SPDX-License-Identifier: MIT
#pragma once

// Those who wait, in order of arrival, each at the address of what it waits for. Lists of nodes
// that lie on the stacks of their owners; guarded by the lock that they lie beside.

namespace umcg::posix {

template <class Node>
struct address_node {
  explicit address_node(const void* at) noexcept : address(at) {}
  address_node(const address_node&) = delete;
  address_node& operator=(const address_node&) = delete;

  const void* const address;
  Node* next = nullptr;
  Node* previous = nullptr;
  bool listed = false;
};

template <class Node>
class address_list {
 public:
  constexpr address_list() noexcept = default;
  address_list(const address_list&) = delete;
  address_list& operator=(const address_list&) = delete;

  void push_back(Node& last) noexcept {
    last.next = nullptr;
    last.previous = last_;
    (last_ != nullptr ? last_->next : first_) = &last;
    last_ = &last;
    last.listed = true;
  }

  void remove(Node& one) noexcept {
    (one.previous != nullptr ? one.previous->next : first_) = one.next;
    (one.next != nullptr ? one.next->previous : last_) = one.previous;
    one.listed = false;
  }

  // The first one for `address`, behind `after` (null: of all); null when there is none.
  Node* find(const void* address, const Node* after = nullptr) const noexcept {
    Node* at = after == nullptr ? first_ : after->next;
    while (at != nullptr && at->address != address) at = at->next;
    return at;
  }

 private:
  Node* first_ = nullptr;
  Node* last_ = nullptr;
};

}  // namespace umcg::posix
