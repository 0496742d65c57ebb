// SPDX-License-Identifier: MIT

// The contract of the reactors: one table of cases, over each reactor and the real kernel, over
// each reactor and a simulated one, and on plain threads. A skip says what this machine lacks.

#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "contract/reactor_cases.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg::contract {
namespace {

struct place {
  const char* name;
  unsigned servers = 0;
  const char* reactor = nullptr;  // of the machine
  void (*play)(reactor_case, bool in_sight) = nullptr;
};

constexpr place places[] = {
    {"threads"},
    {"io_uring_on_1_server", 1, "io_uring"},
    {"io_uring_on_2_servers", 2, "io_uring"},
    {"epoll_on_1_server", 1, "epoll"},
    {"epoll_on_2_servers", 2, "epoll"},
    {"simulated_io_uring", 1, nullptr, play_on_simulated_io_uring},
    {"simulated_epoll", 1, nullptr, play_on_simulated_epoll},
};

void PrintTo(const place& at, std::ostream* out) { *out << at.name; }

std::vector<named_case> table() {
  std::vector<named_case> all;
  for (const auto& part : {receiving_cases(), sending_cases(), ending_cases()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

class reactor_contract : public ::testing::TestWithParam<std::tuple<named_case, place>> {
  const testing::hang_limit limit_;
};

TEST_P(reactor_contract, holds) {
  const auto& [wanted, at] = GetParam();
  if (at.play != nullptr) return at.play(wanted.play, wanted.in_sight);
  if (at.reactor != nullptr) {
    const std::string missing = testing::why_no_group(at.reactor);
    if (!missing.empty()) GTEST_SKIP() << missing;
  }
  play_on_servers(at.servers, at.reactor == nullptr ? "" : at.reactor, wanted.play);
}

INSTANTIATE_TEST_SUITE_P(of, reactor_contract,
                         ::testing::Combine(::testing::ValuesIn(table()),
                                            ::testing::ValuesIn(places)),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param).name) + "_at_" +
                                  std::get<1>(each.param).name;
                         });

}  // namespace
}  // namespace umcg::contract
