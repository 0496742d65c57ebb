// SPDX-License-Identifier: MIT
#pragma once

// Workers that wait for each other.
//
// What can be known. Workers that wait for mutexes in a circle never go on: that is certain, and
// said. That nobody else will ever wake a worker is not decidable, since any plain thread may. But
// when all workers of a group wait without a deadline for what only a call of somebody's ends - a
// mutex, a channel, the end of another worker - while every server of it sleeps without an
// operation under way, no thread outside the group has ever woken one of its workers, and all that
// stays so for a second, it is worth a hint. An idle server program is none of that: its listener
// has an operation under way. A worker that blocks its kernel thread may go on by itself, and then
// nothing is said; but not one that does so for a mutex of the C library that another worker of the
// group owns.

#include <atomic>
#include <cstdint>

#include "diagnosis/mapped_array.hpp"
#include "diagnosis/task_view.hpp"
#include "diagnosis/text_writer.hpp"

namespace umcg::diagnosis {

// The circles of mutexes and their owners that are there when it is made.
class deadlocks {
 public:
  explicit deadlocks(all_tasks& tasks) noexcept;

  bool any() noexcept { return starts_.size() != 0; }
  // A line for each.
  void write(text_writer& out) noexcept;

 private:
  all_tasks& tasks_;
  mapped_array<std::uint32_t> starts_;  // of the views, the first of those in a circle
};

// A server that sleeps without an operation under way asks for a look; cheap while there is one.
// Returns whether one has to be begun.
bool may_begin_watch() noexcept;
// Looks at all groups until none of them seems to be stuck, or those that are have been named on
// standard error. Returns early when `bell` is rung: the caller looks again later. False then.
bool watch_for_deadlock(std::atomic<std::uint32_t>& bell) noexcept;
// In the child of a fork nobody looks.
void forget_watch() noexcept;

}  // namespace umcg::diagnosis
