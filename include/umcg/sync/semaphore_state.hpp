// SPDX-License-Identifier: MIT
#pragma once

// The shared word of a semaphore: how many units are there, and whether anybody waits for one.
//
//   n units   --take-->           n - 1 units    n > 0
//   n units   --give-->           n + k units    nobody waits
//   0 units   --take_or_queue-->  0, queued      under the lock of the line
//   0, queued --give_rest-->      0, queued      each unit went to one in line; and more wait
//                                 k units        or these are left over
//   0, queued --leave-->          0 units        under the lock: the last one left at its deadline
//
// `queued` means that the line is not empty, whenever its lock is open; then no unit is there. So
// nobody overtakes those in line, and nobody waits beside a unit: a newcomer sets `queued` in the
// exchange that finds no unit, and whoever gives one needs the exchange of a word without it.
// tests/model/sync_line_model explores this class against deadlines, and variants without a part.

#include <atomic>
#include <cstdint>

namespace umcg::sync {

class semaphore_state {
 public:
  static constexpr std::uint64_t units_max = UINT64_MAX >> 1;

  explicit constexpr semaphore_state(std::uint64_t units) noexcept : word_(units << 1) {}

  std::uint64_t units() const noexcept { return word_.load() >> 1; }
  bool somebody_waits() const noexcept { return (word_.load() & queued) != 0; }

  // False: there is none.
  bool take() noexcept {
    return change([](std::uint64_t old) { return old >= unit ? old - unit : old; });
  }
  // False: somebody waits.
  bool give(std::uint64_t count) noexcept {
    return change([count](std::uint64_t old) { return old & queued ? old : old + count * unit; });
  }

  // --- under the lock of the line ---

  // False: the caller gets in line.
  bool take_or_queue() noexcept {
    bool takes = false;
    change([&takes](std::uint64_t old) {
      takes = old >= unit;
      return takes ? old - unit : queued;
    });
    return takes;
  }
  // After each one that was taken out got a unit.
  void give_rest(std::uint64_t count, bool more) noexcept {
    word_.store(count * unit + (more ? queued : 0));
  }
  void leave(bool more) noexcept {
    if (!more) word_.store(0);
  }

 private:
  static constexpr std::uint64_t queued = 1;
  static constexpr std::uint64_t unit = 2;

  template <class Next>
  bool change(Next next) noexcept {
    std::uint64_t old = word_.load();
    for (;;) {
      const std::uint64_t wanted = next(old);
      if (wanted == old) return false;
      if (word_.compare_exchange_weak(old, wanted)) return true;
    }
  }

  std::atomic<std::uint64_t> word_;
};

}  // namespace umcg::sync
