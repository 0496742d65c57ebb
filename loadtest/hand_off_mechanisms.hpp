// SPDX-License-Identifier: MIT
#pragma once

// From a worker's block to the next worker on another carrier, and what that costs, by each way of
// noticing it.

#include <algorithm>
#include <cstddef>
#include <vector>

struct samples {
  std::vector<double> us;

  double at(double share) {
    std::ranges::sort(us);
    return us.empty() ? 0
                      : us[static_cast<std::size_t>(share * static_cast<double>(us.size() - 1))];
  }
};

inline void compute_a_little() {
  for (int at = 0; at < 300; ++at) __asm__ volatile("" ::: "memory");
}

// Both print a table. Each row of the first is of so many blocks; of the second, each of several
// turns.
void print_mechanisms(int rounds);
void print_costs(int rounds);
