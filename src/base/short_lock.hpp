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

class UMCG_CAPABILITY("mutex") short_lock {
 public:
  void lock() noexcept UMCG_ACQUIRE() {
    std::uint32_t expected = open;
    if (!word_.compare_exchange_strong(expected, taken)) lock_slowly();
  }

  void unlock() noexcept UMCG_RELEASE() {
    if (word_.exchange(open) == awaited) futex_wake(word_);
  }

 private:
  enum : std::uint32_t { open, taken, awaited };

  void lock_slowly() noexcept {
    while (word_.exchange(awaited) != open) futex_wait(word_, awaited);
  }

  std::atomic<std::uint32_t> word_{open};
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
