// SPDX-License-Identifier: MIT
#pragma once

// What the contract's program was asked for.

#include <cstdint>
#include <string>

namespace contract {

struct options {
  std::string half = "auto";  // and then the one that was chosen
  std::uint32_t times = 1;    // as many rounds as usual in tests of races
  std::uint32_t seed = 1;     // of a simulation: the first
  std::uint32_t seeds = 1;    // and how many of them
};

options& settings();

// Of the world: what a simulation does with the seed before each test.
void begin_test(std::uint32_t seed);

}  // namespace contract
