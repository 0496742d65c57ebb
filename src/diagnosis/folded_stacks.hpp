// SPDX-License-Identifier: MIT
#pragma once

// The stacks of all workers, each different one kept once: ten thousand connections mostly wait at
// the same place.

#include <cstdint>
#include <span>

#include "diagnosis/call_stack.hpp"
#include "diagnosis/location.hpp"
#include "diagnosis/mapped_array.hpp"
#include "diagnosis/symbols.hpp"

namespace umcg::diagnosis {

struct folded_stack {
  call_stack calls;
  std::uint64_t kind = 0;   // workers of different kinds are not folded
  std::uint32_t count = 0;  // how many have it
};

class folded_stacks {
 public:
  // Room for as many stacks as there are workers.
  explicit folded_stacks(std::size_t workers) noexcept;

  // Returns the number of the stack, the same for all that are equal.
  std::uint32_t add(const call_stack& calls, std::uint64_t kind) noexcept;

  std::span<folded_stack> all() noexcept { return stacks_.all(); }

  // Once all have been added.
  void resolve(symbols& names) noexcept;
  // Null: nothing is known about it.
  const location* find(std::uintptr_t address) noexcept;

 private:
  mapped_array<folded_stack> stacks_;
  mapped_array<std::uint32_t> index_;  // a hash table of numbers, counted from 1
  mapped_array<location> locations_;
};

}  // namespace umcg::diagnosis
