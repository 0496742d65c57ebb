// SPDX-License-Identifier: MIT
#pragma once

// All lines, found by the address of what is waited for. They lie in memory that a child made by
// fork() finds empty: its one thread is nobody's worker, and those who wait are the parent's.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "posix/condition_line.hpp"
#include "posix/mutex_line.hpp"

namespace umcg::posix {

class lines {
 public:
  constexpr lines() noexcept = default;
  mutex_line& of(const pthread_mutex_t& mutex) noexcept { return mutexes_[place_of(&mutex)]; }
  condition_line& of(const pthread_cond_t& condition) noexcept {
    return conditions_[place_of(&condition)];
  }

 private:
  static constexpr int bits = 8;
  // The upper bits of a product with an odd number depend on all bits of the address.
  static std::size_t place_of(const void* address) noexcept {
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
    return (reinterpret_cast<std::uintptr_t>(address) * odd) >> (64 - bits);
  }

  std::array<mutex_line, std::size_t{1} << bits> mutexes_;
  std::array<condition_line, std::size_t{1} << bits> conditions_;
};

extern std::atomic<lines*> lines_in_use;

// Null: nobody waits in lines, since the library is not loaded yet or something is missing.
inline lines* all_lines() noexcept { return lines_in_use.load(); }

}  // namespace umcg::posix
