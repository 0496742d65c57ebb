// SPDX-License-Identifier: MIT
#pragma once

// What sources and tokens share, and who is to be told: scopes, and nodes below this one. Nodes are
// counted references; a node holds those above it.
//
// A canceller sets the flag, then tells everybody in the list; a newcomer gets into the list, then
// looks at the flag: one of the two sees the other. Listeners are told under the list's lock, a few
// at a time, and leave the list under it, so none is gone when it is told.

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "base/short_lock.hpp"
#include "sched/bounds.hpp"
#include "umcg/cancellation.hpp"

namespace umcg::sched {

// What a canceller has found in a list: for after the lock is open.
class cancelled_calls {
 public:
  cancelled_calls() noexcept = default;
  cancelled_calls(const cancelled_calls&) = delete;
  cancelled_calls& operator=(const cancelled_calls&) = delete;

  void add(interruptible& call) noexcept;
  void add(cancellation_node& node) noexcept;
  void interrupt_all() noexcept;
  // With a reference, which passes to the caller. Null: none.
  cancellation_node* next_node() noexcept;

 private:
  interruptible* calls_ = nullptr;
  cancellation_node* nodes_ = nullptr;
};

class cancellation_node {
 public:
  // With one reference, below all of `parents`. Throws std::bad_alloc.
  explicit cancellation_node(std::span<cancellation_node* const> parents);
  cancellation_node(const cancellation_node&) = delete;
  cancellation_node& operator=(const cancellation_node&) = delete;

  void hold() noexcept { references_.fetch_add(1); }
  void release() noexcept;

  bool cancelled() const noexcept { return cancelled_.load(); }
  void cancel() noexcept;

  void add(cancellation_listener& listener) noexcept;
  // Nothing if it was told.
  void remove(cancellation_listener& listener) noexcept;

 private:
  friend class cancelled_calls;

  class link final : public cancellation_listener {
   public:
    link() noexcept = default;
    ~link();
    link(const link&) = delete;
    link& operator=(const link&) = delete;
    void join(cancellation_node& child, cancellation_node& parent) noexcept;

   private:
    void cancel_under_lock(cancelled_calls& found) noexcept override;
    cancellation_node* child_ = nullptr;
    cancellation_node* parent_ = nullptr;  // holds a reference
  };

  ~cancellation_node() = default;
  bool hold_if_alive() noexcept;
  void tell_all(cancelled_calls& found) noexcept;
  bool tell_some(cancelled_calls& found) noexcept;

  std::atomic<std::uint32_t> references_{1};
  std::atomic<bool> cancelled_{false};
  base::short_lock lock_;
  cancellation_listener* first_ UMCG_GUARDED_BY(lock_) = nullptr;
  cancellation_node* next_found_ = nullptr;  // owned by the one canceller that has set the flag
  std::unique_ptr<link[]> parents_;          // fixed after construction
};

}  // namespace umcg::sched
