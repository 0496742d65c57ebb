// SPDX-License-Identifier: MIT
#pragma once

// The kernel's wait and wake on a 32-bit word (futex(2)), private to this process. No function here
// touches errno: a carrier may call them between two contexts.

#include <atomic>
#include <cstdint>

#include "umcg/deadline.hpp"

namespace umcg::base {

// Sleeps while `word` holds `expected`: until a wake, the deadline or a signal. The caller looks at
// the word again.
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                deadline until = deadline::never()) noexcept;

// Wakes at most `count` sleepers. `word` may already be gone: only its address is used.
void futex_wake(const std::atomic<std::uint32_t>& word, int count = 1) noexcept;

// Lets other threads go on: for somebody who waits for a few instructions of theirs.
void give_way() noexcept;

// A sleep that ends early when it should: `word` is 1 when there is a reason to, and the sleeper
// takes it. False: the deadline passed first.
inline bool sleep_until_set(std::atomic<std::uint32_t>& word, deadline until) noexcept {
  while (word.exchange(0) == 0) {
    if (until.passed()) return false;
    futex_wait(word, 0, until);
  }
  return true;
}
inline void set_and_wake(std::atomic<std::uint32_t>& word) noexcept {
  word.store(1);
  futex_wake(word);
}

}  // namespace umcg::base
