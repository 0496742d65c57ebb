// SPDX-License-Identifier: MIT
#pragma once

// Whether the monitor sleeps until a server goes on. It sleeps when all are parked:
//
//   awake  --fall_asleep--> asleep   itself; then it looks at all servers once more
//   asleep --rouse-->       awake    a server that has said that it is parked no more: it wakes it
//   asleep --stay_awake-->  awake    itself: that look found one
//
// Both sides write, then read the other's word, all sequentially consistent: one of the two sees
// the other, so no server runs beside a monitor that sleeps. tests/model/monitor_model.

#include <atomic>
#include <cstdint>

namespace umcg::kernel::usermode {

class monitor_state {
 public:
  void fall_asleep() noexcept { word_.store(asleep); }
  void stay_awake() noexcept { word_.store(awake); }
  bool sleeps() const noexcept { return word_.load() == asleep; }
  // True: the caller wakes it.
  bool rouse() noexcept {
    std::uint32_t expected = asleep;
    return word_.load() == asleep && word_.compare_exchange_strong(expected, awake);
  }

  static constexpr std::uint32_t awake = 0;
  static constexpr std::uint32_t asleep = 1;
  // What it sleeps on, while it is `asleep`.
  std::atomic<std::uint32_t>& word() noexcept { return word_; }

 private:
  std::atomic<std::uint32_t> word_{awake};
};

}  // namespace umcg::kernel::usermode
