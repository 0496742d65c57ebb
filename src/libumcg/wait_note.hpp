// SPDX-License-Identifier: MIT
#pragma once

// What a task waits for, for those who look at it from outside. The note lies on the stack of the
// call that waits, and the task points to it: it costs a few stores into memory that is in the
// cache. Whoever reads it from another thread copies it through the kernel, since it may be gone,
// and looks at the task's state word before and after: a task that has made no move has the same
// note.

#include <time.h>

#include <cstdint>
#include <utility>

#include "libumcg/task.hpp"
#include "umcg/counters.hpp"
#include "umcg/deadline.hpp"

namespace umcg::libumcg {

// Nanoseconds on the steady clock, as of the kernel's last tick: some milliseconds late, and five
// nanoseconds to read where the exact time takes twenty.
inline std::int64_t coarse_now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

struct wait_note {
  wait_reason reason = wait_reason::other;
  // A descriptor, a task's id, or the address of what is waited for; of a mutex: the word that
  // holds its owner's thread pointer, beside flags in the lowest three bits.
  std::uintptr_t subject = 0;
  std::int64_t since = 0;  // coarse_now(); 0: not known
  deadline until = deadline::never();
};

// Says what the calling thread's task, if it is one, waits for until this object goes.
class noted_wait {
 public:
  noted_wait(task* self, const wait_note& note) noexcept : self_(self), note_(note) {
    if (self_ == nullptr) return;
    // A swap takes 50 ns in all, and workers that swap seldom wait for long.
    if (note_.reason != wait_reason::swap) note_.since = coarse_now();
    before_ = self_->waits_for;
    self_->waits_for = &note_;
  }
  ~noted_wait() {
    if (self_ != nullptr) self_->waits_for = before_;
  }
  noted_wait(const noted_wait&) = delete;
  noted_wait& operator=(const noted_wait&) = delete;

 private:
  task* const self_;
  wait_note note_;
  const wait_note* before_ = nullptr;
};

// Says what the calling thread's task, if it is one, works at until this object goes.
class noted_work {
 public:
  noted_work(task* self, const char* what) noexcept : self_(self) {
    if (self_ != nullptr) before_ = std::exchange(self_->works_at, what);
  }
  ~noted_work() {
    if (self_ != nullptr) self_->works_at = before_;
  }
  noted_work(const noted_work&) = delete;
  noted_work& operator=(const noted_work&) = delete;

 private:
  task* const self_;
  const char* before_ = nullptr;
};

}  // namespace umcg::libumcg
