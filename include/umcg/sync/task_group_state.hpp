// SPDX-License-Identifier: MIT
#pragma once

// The shared word of a task group: what became of its children.
//
//   well, aborted --fail-->  failed    the first child that an exception has left, before it is
//   done well          --abort--> aborted   a child that ended because the task group is cancelled
//   any           --take-->  well      join(), when all children are done
//
// Who wins `fail` is the only one to store its exception, cancels its siblings, and is done after
// that. So join(), which begins to look when all are done, finds the exception whole.
// tests/model/sync_task_group_model explores this class, and variants that lack one part each.

#include <atomic>
#include <cstdint>

namespace umcg::sync {

enum class outcome : std::uint8_t { well, aborted, failed };

class task_group_state {
 public:
  constexpr task_group_state() noexcept = default;
  // For models.
  explicit constexpr task_group_state(outcome what) noexcept : word_(what) {}
  outcome look() const noexcept { return word_.load(); }

  // True for the first only.
  bool fail() noexcept { return word_.exchange(outcome::failed) != outcome::failed; }
  void abort() noexcept {
    outcome expected = outcome::well;
    word_.compare_exchange_strong(expected, outcome::aborted);
  }
  outcome take() noexcept { return word_.exchange(outcome::well); }

 private:
  std::atomic<outcome> word_{outcome::well};
};

}  // namespace umcg::sync
