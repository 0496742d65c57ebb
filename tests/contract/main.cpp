// SPDX-License-Identifier: MIT
// The contract as a program of its own: runs T1 to T57 over one kernel half and prints what each
// came to. Linked statically it needs nothing of the tree it was built in.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "contract/harness.hpp"
#include "contract/settings.hpp"

namespace contract {

options& settings() {
  static options given;
  return given;
}

namespace {

constexpr int exit_usage = 2;
constexpr int exit_not_here = 77;

constexpr std::string_view usage =
    "usage: umcg-contract [--kernel NAME] [--times N] [--list] [--gtest_filter=T07*]\n"
    "\n"
    "Tests the contract of libumcg, T1 to T57, over one kernel half of this machine.\n"
    "\n"
    "  --kernel NAME   usermode, futex, native or auto (the default): exits with 77\n"
    "                  where the machine cannot have it\n"
    "  --times N       N times the rounds in tests of races, 1 to 1000\n"
    "  --list          what is tested\n";

constexpr std::string_view simulated_usage =
    "usage: umcg-contract-simulated [--seed N] [--seeds N] [--times N] [--list]\n"
    "                               [--gtest_filter=T07*]\n"
    "\n"
    "Tests the contract of libumcg, T1 to T57, on a simulated machine, where the\n"
    "order in which threads take turns follows from a seed.\n"
    "\n"
    "  --seed N        the first seed, 1 unless given\n"
    "  --seeds N       how many seeds: each test runs with each\n"
    "  --times N       N times the rounds in tests of races, 1 to 1000\n"
    "  --list          what is tested\n";

// Keeps what became of each test and prints it as a table at the end.
class table : public testing::EmptyTestEventListener {
  void OnTestIterationStart(const testing::UnitTest& /*all*/, int iteration) override {
    seed_ = settings().seed + static_cast<std::uint32_t>(iteration);
  }

  void OnTestStart(const testing::TestInfo& /*test*/) override { begin_test(seed_); }

  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.name()[0] != 'T') return;  // not of the contract
    const testing::TestResult& result = *test.result();
    std::string verdict = result.Failed() ? "FAILED" : result.Skipped() ? "skipped" : "passed";
    for (int at = 0; result.Skipped() && at < result.total_part_count(); ++at) {
      const testing::TestPartResult& part = result.GetTestPartResult(at);
      if (part.skipped()) verdict += std::string(": ") + part.message();
    }
    if (result.Failed() && is_simulated())
      verdict += ": again with --seed " + std::to_string(seed_);
    if (verdicts_.emplace(test.name(), verdict).second == false && result.Failed()) {
      verdicts_[test.name()] = verdict;
    }
  }

  void OnTestProgramEnd(const testing::UnitTest& /*all*/) override {
    std::cout << "\nThe contract over half " << half_name() << " (" << umcg_kernel_half() << ")\n";
    for (const auto& [name, verdict] : verdicts_) {
      const std::size_t number_end = name.find('_');
      std::cout << "  " << name.substr(0, number_end) << "  "
                << (number_end < name.size() ? name.substr(number_end + 1) : "") << ": " << verdict
                << "\n";
    }
    std::cout.flush();
  }

  std::map<std::string, std::string> verdicts_;
  std::uint32_t seed_ = 1;
};

bool read_number(const char* text, std::uint32_t& number) {
  const char* const end = text + std::strlen(text);
  const auto [stopped, error] = std::from_chars(text, end, number);
  return error == std::errc() && stopped == end;
}

// Takes our own arguments; gtest has taken its own. False: one is not known.
bool read_arguments(int argc, char** argv) {
  for (int at = 1; at < argc; ++at) {
    const std::string_view argument = argv[at];
    const bool has_value = at + 1 < argc;
    if (argument == "--kernel" && has_value && !is_simulated()) {
      settings().half = argv[++at];
    } else if (argument == "--seed" && has_value && is_simulated()) {
      if (!read_number(argv[++at], settings().seed)) return false;
    } else if (argument == "--seeds" && has_value && is_simulated()) {
      if (!read_number(argv[++at], settings().seeds)) return false;
    } else if (argument == "--times" && has_value) {
      std::uint32_t& times = settings().times;
      if (!read_number(argv[++at], times) || times < 1 || times > 1000) return false;
    } else if (argument == "--list") {
      testing::GTEST_FLAG(list_tests) = true;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--is-registered") == 0) {
    // What T22 asks of the image that it starts.
    return umcg_unregister_task() == -1 && umcg_get_task_state(umcg_get_utid()) == 0 ? 0 : 1;
  }
  testing::InitGoogleTest(&argc, argv);
  if (!read_arguments(argc, argv)) {
    std::cerr << (is_simulated() ? simulated_usage : usage);
    return exit_usage;
  }
  if (settings().half != "auto" && umcg_use_kernel_half(settings().half.c_str()) != 0) {
    const bool unknown = errno == EINVAL;
    std::cerr << "umcg-contract: "
              << (unknown ? settings().half + ": no such half; use usermode, futex, native or auto"
                          : std::string(umcg_kernel_half()))
              << "\n";
    return unknown ? exit_usage : exit_not_here;
  }
  if (!umcg_enabled()) {
    std::cerr << "umcg-contract: " << umcg_kernel_half() << "\n";
    return exit_not_here;
  }
  const std::string reason = umcg_kernel_half();  // "kernel half NAME..."
  if (settings().half == "auto") {
    const std::string rest = reason.substr(std::string_view("kernel half ").size());
    settings().half = rest.substr(0, rest.find_first_of(" ,:"));
  }
  testing::GTEST_FLAG(repeat) = static_cast<int>(settings().seeds);
  testing::UnitTest::GetInstance()->listeners().Append(new table);
  return RUN_ALL_TESTS();
}

}  // namespace contract

int main(int argc, char** argv) { return contract::main(argc, argv); }
