// SPDX-License-Identifier: MIT
#pragma once

// One waiter's place to wait for one event, on its own stack. The waiter may be a worker, a server
// or a plain thread, as which a worker in a blocking region counts.

#include <atomic>
#include <cstdint>

#include "base/futex.hpp"
#include "libumcg/scheduling.hpp"
#include "libumcg/wait_note.hpp"

namespace umcg::sched {

class one_shot {
 public:
  // `subject` is for diagnosis: the id of the task that sets it.
  explicit one_shot(std::intptr_t subject = 0) noexcept
      : subject_(static_cast<std::uintptr_t>(subject)) {
    libumcg::task* self = libumcg::current_task;
    if (self != nullptr && self->blocking == 0) waiter_ = libumcg::refer_to(*self);
  }
  one_shot(const one_shot&) = delete;
  one_shot& operator=(const one_shot&) = delete;

  // Called by the one who waits.
  void wait() noexcept {
    const libumcg::preempt_guard guard(libumcg::current_task);
    const libumcg::noted_wait note(waiter_.who, {.reason = wait_reason::join, .subject = subject_});
    while (set_.load() == 0) {
      if (waiter_.who != nullptr) {
        libumcg::wait(*waiter_.who, deadline::never());
      } else {
        base::futex_wait(set_, 0);
      }
    }
  }

  // Called once, by anyone. The waiter may be gone with this object as soon as the flag is set.
  void set() noexcept {
    const libumcg::preempt_guard guard(libumcg::current_task);
    const libumcg::task_reference waiter = waiter_;
    set_.store(1);
    if (waiter.who != nullptr) {
      libumcg::wake(waiter);
    } else {
      base::futex_wake(set_);
    }
  }

 private:
  const std::uintptr_t subject_;
  libumcg::task_reference waiter_;
  std::atomic<std::uint32_t> set_{0};
};

}  // namespace umcg::sched
