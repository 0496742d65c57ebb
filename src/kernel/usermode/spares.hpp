// SPDX-License-Identifier: MIT
#pragma once

// Spare carriers: those that are nobody's home. While one hosts nobody it rests here until it is
// called. A few are always ready, made beforehand by a thread of its own: making one takes locks of
// the C library, which a worker may hold that blocks. What has been more than these few for a while
// ends.

#include <cstdint>

#include "kernel/usermode/carrier.hpp"

namespace umcg::kernel::usermode {

// How many rest at least, beside those that are kept for one server each.
constexpr std::uint32_t ready_least = 4;

// One that rests; null when there is none ready. Then, or when few are left, others are made.
carrier* take_ready_spare() noexcept;
// The same, or a new one, made by the caller, whose carrier is `here`.
carrier* take_or_make_spare(carrier& here) noexcept;

// A spare that hosts nobody: another may take it from now on. By the spare itself, and by whoever
// has taken it in vain: it sees then how long it is to rest.
void rest(carrier& spare) noexcept;
void put_to_rest(carrier& spare) noexcept;
// The spare itself, until it is called. False: it is one too many, and ends.
bool await_call(carrier& spare) noexcept;

// Sees to it that `ready_least` are ready, and that each watch that wants a doorbell has one.
void make_more() noexcept;

struct spare_figures {
  std::uint32_t made;     // there are so many now
  std::uint32_t resting;  // of which so many can be taken
  std::uint32_t most;     // there may be so many
};
spare_figures look_at_spares() noexcept;
void limit_spares(std::uint32_t most) noexcept;

// A child made by fork() has none of these threads. False: it could not be told.
bool watches_forks() noexcept;

}  // namespace umcg::kernel::usermode
