// SPDX-License-Identifier: MIT
#pragma once

// Explores one protocol in several sizes (servers x workers) and prints what was found as one line
// of a table, with the number of states.

#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "model/explorer.hpp"

namespace umcg::model {

using size = std::pair<int, int>;

inline const std::vector<size> all_sizes{{1, 1}, {2, 1}, {2, 2}, {3, 2}, {2, 3}, {3, 3}};

inline void print(const findings::trace& steps) {
  for (const std::string& line : steps) std::cout << "    " << line << '\n';
}

// The verdicts in the order of `sizes`. `find(servers, workers)` returns findings.
inline std::vector<std::string> verdicts(
    std::string_view protocol, const std::vector<size>& sizes,
    const std::function<findings(int servers, int workers)>& find) {
  std::vector<std::string> row;
  std::cout << "| " << protocol << std::flush;
  for (const auto& [servers, workers] : sizes) {
    const findings found = find(servers, workers);
    row.push_back(found.verdict());
    std::cout << " | " << servers << 'x' << workers << ": " << row.back() << " (" << found.states
              << ')' << std::flush;
  }
  std::cout << " |\n";
  return row;
}

inline void expect_ok(std::string_view protocol, const std::vector<size>& sizes,
                      const std::function<findings(int servers, int workers)>& find) {
  const auto explained = [&](int servers, int workers) {
    findings found = find(servers, workers);
    EXPECT_TRUE(found.complete);
    for (const auto& [fault, steps] : found.faults) {
      std::cout << "\n  " << fault << ":\n";
      print(steps);
    }
    return found;
  };
  EXPECT_EQ(verdicts(protocol, sizes, explained), std::vector<std::string>(sizes.size(), "ok"));
}

// Expects `fault` in one size and shows a shortest way to it. `find(servers, workers, until)` may
// stop there.
inline void expect_fault(
    std::string_view protocol, const size& where, const char* fault,
    const std::function<findings(int servers, int workers, const char* until)>& find) {
  findings found;
  verdicts(protocol, {where},
           [&](int servers, int workers) { return found = find(servers, workers, fault); });
  const auto way = found.faults.find(fault);
  ASSERT_TRUE(way != found.faults.end()) << protocol << ": nothing " << fault;
  std::cout << "  " << fault << " after\n";
  print(way->second);
}

}  // namespace umcg::model
