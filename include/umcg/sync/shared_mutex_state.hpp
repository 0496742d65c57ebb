// SPDX-License-Identifier: MIT
#pragma once

// The shared word of a shared mutex: its one writer or the number of its readers, and whether
// anybody waits.
//
//   free            --take-->                  written
//   free, n readers --take_shared-->           n + 1 readers    nobody waits
//   any             --take_or_queue,
//                     take_shared_or_queue-->  the same, queued under the lock of the line
//   written         --let_go-->                free             nobody waits
//   n readers       --let_go_shared-->         n - 1 readers    n > 1, or nobody waits
//   written or 1 reader, queued
//                   --hand_over-->             written, or k readers: the first in line, or all
//                                              that stand before the first writer; under the lock
//   n readers, queued --leave-->               n + k readers    under the lock: a writer in line
//                                              leaves at its deadline, and k stood behind it
//
// `queued` means that the line is not empty, whenever its lock is open. Then nobody takes the mutex
// but from the line, so neither writers nor readers are overtaken; and the mutex is never free, so
// somebody is going to hand it over. While `queued` is set, only readers that let go change the
// word without the lock.
// tests/model/sync_line_model explores this class against deadlines, and variants without a part.

#include <atomic>
#include <cstdint>

namespace umcg::sync {

class shared_mutex_state {
 public:
  constexpr shared_mutex_state() noexcept = default;

  bool written() const noexcept { return (word_.load() & writer) != 0; }
  std::uint64_t readers() const noexcept { return word_.load() / reader; }
  bool somebody_waits() const noexcept { return (word_.load() & queued) != 0; }

  // False: it is not free, or somebody waits.
  bool take() noexcept {
    std::uint64_t expected = 0;
    return word_.compare_exchange_strong(expected, writer);
  }
  // False: it is written, or somebody waits.
  bool take_shared() noexcept {
    return change([](std::uint64_t old) { return may_share(old) ? old + reader : old; });
  }
  // Of the writer. False: somebody waits.
  bool let_go() noexcept {
    std::uint64_t expected = writer;
    return word_.compare_exchange_strong(expected, 0);
  }
  // Of a reader. False: it is the last, and somebody waits.
  bool let_go_shared() noexcept {
    return change([](std::uint64_t old) { return old == (reader | queued) ? old : old - reader; });
  }

  // --- under the lock of the line ---

  // False: the caller gets in line.
  bool take_or_queue() noexcept {
    bool takes = false;
    change([&takes](std::uint64_t old) {
      takes = old == 0;
      return takes ? writer : old | queued;
    });
    return takes;
  }
  bool take_shared_or_queue() noexcept {
    bool takes = false;
    change([&takes](std::uint64_t old) {
      takes = may_share(old);
      return takes ? old + reader : old | queued;
    });
    return takes;
  }
  // Of the writer or the last reader, to a writer (0) or to so many readers.
  void hand_over(std::uint64_t to_readers, bool more) noexcept {
    word_.store((to_readers != 0 ? to_readers * reader : writer) | (more ? queued : 0));
  }
  // Somebody has left the line; so many readers are let in, and `more` are still there.
  void leave(std::uint64_t let_in, bool more) noexcept {
    change([let_in, more](std::uint64_t old) {
      return ((more ? old : old & ~queued)) + let_in * reader;
    });
  }

 private:
  static constexpr std::uint64_t queued = 1;
  static constexpr std::uint64_t writer = 2;
  static constexpr std::uint64_t reader = 4;

  static bool may_share(std::uint64_t bits) noexcept { return (bits & (queued | writer)) == 0; }

  template <class Next>
  bool change(Next next) noexcept {
    std::uint64_t old = word_.load();
    for (;;) {
      const std::uint64_t wanted = next(old);
      if (wanted == old) return false;
      if (word_.compare_exchange_weak(old, wanted)) return true;
    }
  }

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace umcg::sync
