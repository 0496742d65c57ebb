// SPDX-License-Identifier: MIT
#pragma once

// The shared word of a mutex: its owner, and three flags about those who wait.
//
//   free             --take-->             owned            nobody waits: one exchange
//   owned            --let_go-->           free             nobody waits: one exchange
//   owned            --take_or_queue-->    owned, queued    a newcomer gets in line
//   owned, queued    --let_go_to-->        free, called     and calls the first, out of the line
//   free, called     --take_free-->        owned, called    a newcomer overtakes it
//   owned, called    --let_go_called-->    free, called     it is still on its way
//   free, called     --take_or_demand-->   owned            it arrives in time
//   owned, called    --take_or_demand-->   owned, handing   or in vain, and is first in line again
//   owned, called    --take_or_decline-->  owned            or in vain, and its deadline has passed
//   owned, handing   --let_go_to-->        owned            the mutex is its own
//   owned, handing   --withdraw-->         owned            it leaves at its deadline
//
// `queued` means that the line is not empty, whenever its lock is open. It may stand beside the
// other two, which exclude each other. take, take_free, let_go and let_go_called need no lock; the
// moves between queued, called and handing are made under the lock of the line, except that who was
// called clears `called` by itself when it declines.
//
// Why nobody waits for ever. A newcomer sets `queued` in the exchange that finds the mutex owned,
// so the owner's exchange of the whole word fails and it looks into the line. From the call until
// the one called arrives or declines, owners do not call again; then either the mutex is its own,
// or the next owner hands it over, or the flag is gone and the next owner calls another. Each
// waiter is overtaken only while it is called and on its way.
//
// Simpler, and rejected. Always handing over: a mutex that is taken often is then always owned by
// somebody who still has to be run, and each use costs two switches. Never handing over: a worker
// that unlocks and locks again in a loop can keep all others out. A clock that decides between the
// two: nothing that a model could explore.
//
// tests/model/sync_mutex_model explores this class against deadlines, and variants that lack one
// part each.

#include <atomic>
#include <cstdint>

namespace umcg::sync {

// What letting go means for the first in line.
enum class succession : std::uint8_t {
  call,       // the mutex is free: it comes and competes for it
  hand_over,  // the mutex is its own
};

class mutex_state {
 public:
  using word = std::uintptr_t;
  static constexpr word queued = 1;
  static constexpr word called = 2;
  static constexpr word handing = 4;
  static constexpr word flags = queued | called | handing;

  constexpr mutex_state() noexcept = default;
  // For models.
  explicit constexpr mutex_state(word bits) noexcept : word_(bits) {}
  word look() const noexcept { return word_.load(); }
  // 0: it is free.
  word owner() const noexcept { return look() & ~flags; }

  // False: it is owned, or somebody waits.
  bool take(word self) noexcept {
    word expected = 0;
    return word_.compare_exchange_strong(expected, self);
  }
  // Whoever waits.
  bool take_free(word self) noexcept {
    return change([self](word old) { return is_free(old) ? old | self : old; });
  }

  // False: another one owns it, or somebody waits.
  bool let_go(word self) noexcept {
    word expected = self;
    return word_.compare_exchange_strong(expected, 0);
  }
  // False: nobody has been called.
  bool let_go_called() noexcept {
    return change([](word old) { return (old & called) != 0 ? old & flags : old; });
  }

  // --- under the lock of the line ---

  // True: it was free. False: the caller gets in line.
  bool take_or_queue(word self) noexcept {
    bool takes = false;
    change([&](word old) {
      takes = is_free(old);
      return takes ? old | self : old | queued;
    });
    return takes;
  }

  // Of the owner, when nobody has been called. `first` is first in line, and the caller takes it
  // out for what the result says; `more`: others are behind it.
  succession let_go_to(word first, bool more) noexcept {
    succession result = succession::call;
    change([&](word old) {
      const word rest = more ? queued : 0;
      const bool hands_over = (old & handing) != 0;
      result = hands_over ? succession::hand_over : succession::call;
      return hands_over ? first | rest : called | rest;
    });
    return result;
  }

  // Of the one called. True: it was free. False: it gets in line again, at the front, and the next
  // owner hands over.
  bool take_or_demand(word self) noexcept {
    bool takes = false;
    change([&](word old) {
      takes = is_free(old);
      return (old & ~called) | (takes ? self : queued | handing);
    });
    return takes;
  }

  // Somebody has left the line at its deadline; `more`: and others are still there.
  void leave(bool more) noexcept {
    change([more](word old) { return more ? old : old & ~queued; });
  }
  // The same for the one who demanded to be handed the mutex.
  void withdraw(bool more) noexcept {
    change([more](word old) { return old & ~(more ? handing : handing | queued); });
  }

  // --- without ---

  // Of the one called, whose deadline has passed. True: it was free, and is taken after all.
  bool take_or_decline(word self) noexcept {
    bool takes = false;
    change([&](word old) {
      takes = is_free(old);
      return (old & ~called) | (takes ? self : 0);
    });
    return takes;
  }

 private:
  static bool is_free(word bits) noexcept { return (bits & ~flags) == 0; }

  // Applies `next` until the exchange wins. False: it changes nothing.
  template <class Next>
  bool change(Next next) noexcept {
    word old = word_.load();
    for (;;) {
      const word wanted = next(old);
      if (wanted == old) return false;
      if (word_.compare_exchange_weak(old, wanted)) return true;
    }
  }

  std::atomic<word> word_{0};
};

}  // namespace umcg::sync
