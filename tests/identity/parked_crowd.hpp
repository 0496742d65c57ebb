// SPDX-License-Identifier: MIT
#pragma once

// Workers that wait until they are let go, all of them at once.

#include <atomic>
#include <cstddef>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>

#include "base/futex.hpp"
#include "libumcg/scheduling.hpp"
#include "umcg/group.hpp"

namespace umcg::identity {

class parked_crowd {
 public:
  parked_crowd(group& home, std::size_t most) : home_(home), references_(most) {}
  ~parked_crowd() { EXPECT_EQ(left_.load(), spawned_); }
  parked_crowd(const parked_crowd&) = delete;
  parked_crowd& operator=(const parked_crowd&) = delete;

  // One more. Errors: those of spawn.
  std::error_code add() {
    std::error_code error;
    const std::size_t number = spawned_;
    home_.spawn([this, number] { wait_at(number); }, {}, error).detach();
    if (!error) ++spawned_;
    return error;
  }

  std::size_t size() const { return spawned_; }

  // Returns when each has come and waits.
  void await_all_parked() {
    await(come_, spawned_);
    for (std::size_t at = 0; at < spawned_; ++at) {
      while (references_[at].who->state.place() != libumcg::task_state::waiting) umcg::yield();
    }
  }

  // Lets the first of those that are still there go, and returns when it has left.
  void let_one_go() {
    const std::size_t before = gone_++;
    EXPECT_TRUE(libumcg::wake(references_[before]));
    await(left_, gone_);
  }

  void let_all_go() {
    while (gone_ < spawned_) EXPECT_TRUE(libumcg::wake(references_[gone_++]));
    await(left_, spawned_);
  }

 private:
  void wait_at(std::size_t number) {
    libumcg::task& self = *libumcg::current_task;
    references_[number] = libumcg::refer_to(self);
    come_.fetch_add(1);
    base::futex_wake(come_);
    {
      const libumcg::preempt_guard guard(&self);
      libumcg::wait(self, deadline::never());
    }
    left_.fetch_add(1);
    base::futex_wake(left_);
  }

  static void await(std::atomic<std::uint32_t>& count, std::size_t wanted) {
    for (std::uint32_t now = count.load(); now < wanted; now = count.load()) {
      base::futex_wait(count, now);
    }
  }

  group& home_;
  std::vector<libumcg::task_reference> references_;
  std::size_t spawned_ = 0;
  std::size_t gone_ = 0;
  std::atomic<std::uint32_t> come_{0};
  std::atomic<std::uint32_t> left_{0};
};

}  // namespace umcg::identity
