// SPDX-License-Identifier: MIT
#pragma once

// The call that a carrier which hosts nobody sleeps for.
//
//   none --call-->        called   by whoever has it to himself: it is to host `carrier::next` now
//   none --ask_to_look--> to_look  by whoever has put it to rest: it may be one too many, and end
//   any  --take-->        none     by itself; true if it was called
//
// It sleeps on the word while that is `none`. A wake without a move would be lost on one that has
// looked and does not sleep yet; it would then rest for ever beside enough others.
// tests/model/spare_model.

#include <atomic>
#include <cstdint>

namespace umcg::kernel::usermode {

class call_state {
 public:
  void call() noexcept { word_.store(called); }
  // A call that it has not taken yet stays one.
  void ask_to_look() noexcept {
    std::uint32_t expected = none;
    word_.compare_exchange_strong(expected, to_look);
  }
  bool take() noexcept { return word_.exchange(none) == called; }

  enum : std::uint32_t { none, called, to_look };
  std::atomic<std::uint32_t>& word() noexcept { return word_; }

 private:
  std::atomic<std::uint32_t> word_{none};
};

}  // namespace umcg::kernel::usermode
