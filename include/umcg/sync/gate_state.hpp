// SPDX-License-Identifier: MIT
#pragma once

// The shared word of an event and of a wait group: how many things are still to come, and whether
// anybody waits for the last of them. The gate is open while there are none.
//
//   n         --add-->            n + k
//   n         --take-->           n - k        k < n, or nobody waits
//   n         --queue-->          n, queued    n > 0; under the queue's lock
//   n, queued --take_queued-->    n - k        under the lock; at 0 all that wait go on
//   n, queued --leave-->          n            under the lock: the last one left at its deadline
//
// `queued` means that the queue is not empty, whenever its lock is open. Who comes to wait sets it
// in the exchange that finds the gate shut, so whoever opens the gate sees it; and sees nobody
// otherwise, and then touches nothing but this word, once: the gate may be gone afterwards.
// tests/model/sync_line_model explores this class against deadlines, and variants without a part.

#include <atomic>
#include <cstdint>

namespace umcg::sync {

enum class taken : std::uint8_t {
  yes,
  waited_for,  // nothing was done: somebody waits, and would go on. Take the queue's lock
  too_many,    // nothing was done
};

class gate_state {
 public:
  static constexpr std::uint64_t count_max = UINT64_MAX >> 1;

  explicit constexpr gate_state(std::uint64_t count) noexcept : word_(count << 1) {}

  std::uint64_t count() const noexcept { return word_.load() >> 1; }
  bool is_open() const noexcept { return count() == 0; }
  bool somebody_waits() const noexcept { return (word_.load() & queued) != 0; }

  void add(std::uint64_t count) noexcept { word_.fetch_add(count * one); }
  // As add(1), if it is open.
  void shut() noexcept {
    change([](std::uint64_t old) { return old == 0 ? one : old; });
  }

  taken take(std::uint64_t count) noexcept {
    taken result = taken::yes;
    change([&](std::uint64_t old) {
      const std::uint64_t there = old >> 1;
      result = count > there                           ? taken::too_many
               : count == there && (old & queued) != 0 ? taken::waited_for
                                                       : taken::yes;
      return result == taken::yes ? old - count * one : old;
    });
    return result;
  }
  // As take() of all that there is.
  taken take_all() noexcept {
    taken result = taken::yes;
    change([&](std::uint64_t old) {
      result = (old & queued) != 0 ? taken::waited_for : taken::yes;
      return result == taken::yes ? 0 : old;
    });
    return result;
  }

  // --- under the queue's lock ---

  // False: it is open.
  bool queue() noexcept {
    bool shut = false;
    change([&shut](std::uint64_t old) {
      shut = old != 0;
      return shut ? old | queued : old;
    });
    return shut;
  }
  // True: the gate is open, and the caller takes all out of the queue.
  bool take_queued(std::uint64_t count) noexcept {
    bool opens = false;
    change([&](std::uint64_t old) {
      opens = (old >> 1) <= count;
      return opens ? 0 : old - count * one;
    });
    return opens;
  }
  void leave(bool more) noexcept {
    change([more](std::uint64_t old) { return more ? old : old & ~queued; });
  }

 private:
  static constexpr std::uint64_t queued = 1;
  static constexpr std::uint64_t one = 2;

  template <class Next>
  void change(Next next) noexcept {
    std::uint64_t old = word_.load();
    for (;;) {
      const std::uint64_t wanted = next(old);
      if (wanted == old || word_.compare_exchange_weak(old, wanted)) return;
    }
  }

  std::atomic<std::uint64_t> word_;
};

}  // namespace umcg::sync
