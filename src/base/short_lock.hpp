// SPDX-License-Identifier: MIT
#pragma once

// A mutual exclusion lock for a few instructions inside the scheduler. It never parks a worker:
// whoever finds it taken sleeps in the kernel, with its carrier, until the holder's few
// instructions are over. Not recursive, owned by nobody, no TLS: it may be used where pthread locks
// may not.

#include <atomic>
#include <cstdint>

#include "base/futex.hpp"
#include "base/thread_annotations.hpp"

namespace umcg::base {

// The lock is a word, 0 to begin with: for public classes, which cannot contain a private one.
namespace short_word {
enum : std::uint32_t { open, taken, awaited };
}

inline void lock_word(std::atomic<std::uint32_t>& word) noexcept {
  std::uint32_t expected = short_word::open;
  if (word.compare_exchange_strong(expected, short_word::taken)) return;
  while (word.exchange(short_word::awaited) != short_word::open) {
    futex_wait(word, short_word::awaited);
  }
}

// The word may be gone, with what it guards, as soon as it is open.
inline void unlock_word(std::atomic<std::uint32_t>& word) noexcept {
  if (word.exchange(short_word::open) == short_word::awaited) futex_wake(word);
}

class UMCG_CAPABILITY("mutex") short_lock {
 public:
  void lock() noexcept UMCG_ACQUIRE() { lock_word(word_); }
  void unlock() noexcept UMCG_RELEASE() { unlock_word(word_); }

 private:
  std::atomic<std::uint32_t> word_{short_word::open};
};

class UMCG_SCOPED_CAPABILITY short_guard {
 public:
  explicit short_guard(short_lock& lock) noexcept UMCG_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~short_guard() UMCG_RELEASE() { lock_.unlock(); }
  short_guard(const short_guard&) = delete;
  short_guard& operator=(const short_guard&) = delete;

 private:
  short_lock& lock_;
};

}  // namespace umcg::base
