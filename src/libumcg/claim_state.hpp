// SPDX-License-Identifier: MIT
#pragma once

// Whether a running worker still has its server. A half that sees a worker block its kernel thread
// takes the server away and lets it go on elsewhere; the worker learns of it when it enters the
// library the next time. Nobody can stop a worker to ask, so:
//
//   own     --doubt--> doubted   a watcher, who then looks whether the worker blocks
//   doubted --doubt_anew--> doubted  another, for whom the first takes too long
//   doubted --take-->  taken     it does: for whoever has the watcher's token
//   doubted --trust--> own       it does not: likewise
//   doubted --keep-->  own       the worker enters the library
//   taken   --renew--> own       the worker, when it has come back and has a server again
//
// Why taking is safe. The watcher doubts, and after that sees the kernel thread asleep with the
// worker on it and outside the library. From there to its next entry the worker touches nothing of
// the server's, and that entry comes after the doubt: it finds it, and one exchange decides between
// keep and take. An entry that came before the doubt shows as a depth (preempt_state.hpp): the
// thread has stored that before it went to sleep. And a worker that has been elsewhere meanwhile
// shows in the carrier's count of switches. So an entry costs a load, no barrier.
//
// A worker that computes then is recalled by a signal: it enters the library in the handler, on its
// own thread, as if it had called, so nothing else has to be decided. A signal that comes late
// finds another worker there, which it does not concern, or one that has lost its server, too, and
// comes back the sooner.
//
// Every return to `own` changes the number in the word: a token is good for one doubt.
// tests/model/claim_model explores this, and what goes wrong without each look.

#include <atomic>
#include <cstdint>

namespace umcg::libumcg {

class claim_state {
 public:
  // A token for take() and trust(); 0: somebody else doubts, or the server has been taken.
  std::uint64_t doubt() noexcept {
    std::uint64_t word = word_.load();
    if ((word & state_mask) != own) return 0;
    if (!word_.compare_exchange_strong(word, word | doubted)) return 0;
    // The look at the kernel thread comes after this.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return word | doubted;
  }
  // The same in any case, unless the server has been taken: earlier tokens are void.
  std::uint64_t doubt_anew() noexcept {
    std::uint64_t word = word_.load();
    std::uint64_t token;
    do {
      if (is_taken(word)) return 0;
      token = after(word) | doubted;
    } while (!word_.compare_exchange_weak(word, token));
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return token;
  }
  // False: the worker has entered the library since.
  bool take(std::uint64_t token) noexcept {
    return word_.compare_exchange_strong(token, (token & ~state_mask) | taken);
  }
  // That doubt is not settled yet.
  bool is_doubted_by(std::uint64_t token) const noexcept { return word_.load() == token; }
  void trust(std::uint64_t token) noexcept { word_.compare_exchange_strong(token, after(token)); }

  // The worker itself, and those who look from outside.
  bool is_taken() const noexcept { return is_taken(word_.load()); }

  // The worker itself, having entered the library. False: no watcher is at work.
  bool is_disputed() const noexcept {
    return (word_.load(std::memory_order_relaxed) & state_mask) != own;
  }
  // False: its server has been taken.
  bool keep() noexcept {
    std::uint64_t word = word_.load();
    while ((word & state_mask) == doubted) {
      if (word_.compare_exchange_weak(word, after(word))) return true;
    }
    return (word & state_mask) == own;
  }
  void renew() noexcept { word_.store(after(word_.load())); }

 private:
  enum : std::uint64_t { own, doubted, taken };
  static constexpr std::uint64_t state_mask = 3;

  static bool is_taken(std::uint64_t word) noexcept { return (word & state_mask) == taken; }
  static std::uint64_t after(std::uint64_t word) noexcept {
    return (word & ~state_mask) + state_mask + 1;
  }

  std::atomic<std::uint64_t> word_{own};
};

}  // namespace umcg::libumcg
