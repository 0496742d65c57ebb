// SPDX-License-Identifier: MIT
#pragma once

// Workers that migrate: 200 of them, over 3 servers. A worker calls border::cross(): it waits, and
// a thread outside the group wakes those that wait in random order, which puts them into the queue
// that every server takes from. Whatever a thread may expect to keep has to be there afterwards, on
// whichever kernel thread. Nobody crosses before all have come, so that no two of them share a
// thread from the pool. UMCG_TEST_SEED repeats an order.

#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "base/short_lock.hpp"
#include "libumcg/scheduling.hpp"
#include "umcg/group.hpp"

namespace umcg::identity {

constexpr unsigned servers = 3;
constexpr int workers = 200;
constexpr long migrations_min = 500;

inline unsigned chosen_seed() {
  const char* const given = std::getenv("UMCG_TEST_SEED");
  const unsigned seed =
      given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
  std::cout << "UMCG_TEST_SEED=" << seed << '\n';
  return seed;
}

// The kernel's name for what the caller runs on, asked of the kernel itself: the C library would
// answer for the worker.
inline long kernel_thread() { return base::raw_syscall(SYS_gettid); }

class border {
 public:
  explicit border(std::size_t expected) : expected_(expected) {}
  ~border() {
    closed_.store(true);
    ring();
    waker_.join();
  }
  border(const border&) = delete;
  border& operator=(const border&) = delete;

  // Called by a worker: returns after somebody else has run, mostly on another server.
  void cross() {
    libumcg::task& self = *libumcg::current_task;
    const libumcg::preempt_guard guard(&self);
    const long before = kernel_thread();
    {
      base::short_guard list(lock_);
      waiting_.push_back(libumcg::refer_to(self));
    }
    ring();
    libumcg::wait(self, deadline::never());
    crossings_.fetch_add(1);
    if (kernel_thread() != before) migrations_.fetch_add(1);
  }

  long crossings() const { return crossings_.load(); }
  long migrations() const { return migrations_.load(); }

 private:
  void ring() {
    arrivals_.fetch_add(1);
    base::futex_wake(arrivals_);
  }

  void take_waiting(std::vector<libumcg::task_reference>& batch) {
    base::short_guard list(lock_);
    if (!open_ && waiting_.size() < expected_) return;
    open_ = true;
    batch.assign(waiting_.begin(), waiting_.end());
    waiting_.clear();
  }

  void wake_waiting() {
    std::mt19937 random(chosen_seed());
    std::vector<libumcg::task_reference> batch;
    while (!closed_.load()) {
      const std::uint32_t arrivals = arrivals_.load();
      batch.clear();
      take_waiting(batch);
      if (batch.empty()) base::futex_wait(arrivals_, arrivals);
      std::shuffle(batch.begin(), batch.end(), random);
      for (const libumcg::task_reference& worker : batch) EXPECT_TRUE(libumcg::wake(worker));
    }
  }

  const std::size_t expected_;
  base::short_lock lock_;
  std::vector<libumcg::task_reference> waiting_ UMCG_GUARDED_BY(lock_);
  bool open_ UMCG_GUARDED_BY(lock_) = false;  // all have come
  std::atomic<std::uint32_t> arrivals_{0};    // a futex for the waker
  std::atomic<bool> closed_{false};
  std::atomic<long> crossings_{0};
  std::atomic<long> migrations_{0};
  std::thread waker_{[this] { wake_waiting(); }};
};

// Runs `work(number, border&)` on each worker until all have ended, their threads included.
template <class Work>
void run_migrating(Work work) {
  border line(workers);
  {
    group running = group::start({.servers = servers});
    for (int number = 0; number < workers; ++number) {
      running.spawn([&work, &line, number] { work(number, line); }).detach();
    }
  }
  std::cout << line.crossings() << " crossings, " << line.migrations()
            << " to another kernel thread\n";
  EXPECT_GE(line.migrations(), migrations_min);
}

}  // namespace umcg::identity
