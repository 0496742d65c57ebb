// SPDX-License-Identifier: MIT
// 100,000 workers that wait, in one process: what each costs, and what the next one is told.
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <string>

#include "identity/parked_crowd.hpp"
#include "sanitizer.hpp"

namespace umcg::identity {
namespace {

constexpr std::size_t crowd_size = testing::instrumented ? 500 : 100'000;
constexpr std::size_t memory_needed_kib = testing::instrumented ? 0 : 2 * 1024 * 1024;

// A line "name: 123 kB" of a file of /proc; 0 when it has none.
std::size_t read_kib(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string word; lines >> word;) {
    std::size_t value = 0;
    if (word == name + ":" && lines >> value) return value;
  }
  return 0;
}

std::size_t resident_kib() { return read_kib("/proc/self/status", "VmRSS"); }

class parked_workers : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::size_t available = read_kib("/proc/meminfo", "MemAvailable");
    if (available >= memory_needed_kib) return;
    GTEST_SKIP() << "needs " << memory_needed_kib << " KiB of memory, " << available
                 << " are available";
  }
};

void report(std::size_t resident_before, std::chrono::nanoseconds creation) {
  const auto count = static_cast<double>(crowd_size);
  const double each = static_cast<double>(resident_kib() - resident_before) / count;
  const std::chrono::duration<double, std::micro> time_each = creation / count;
  std::cout << crowd_size << " parked workers: " << each << " KiB resident each, made in "
            << std::chrono::duration<double>(creation).count() << " s (" << time_each.count()
            << " us each)\n";
  ::testing::Test::RecordProperty("kib_each", std::to_string(each));
  ::testing::Test::RecordProperty("microseconds_each", std::to_string(time_each.count()));
}

TEST_F(parked_workers, FillTheGroupAndTheNextIsRefused) {
  using clock = std::chrono::steady_clock;
  group running = group::start({.servers = 2, .workers_max = crowd_size});
  parked_crowd crowd(running, crowd_size + 1);
  const std::size_t resident_before = resident_kib();
  const auto start = clock::now();
  while (crowd.size() < crowd_size) {
    const std::error_code error = crowd.add();
    ASSERT_FALSE(error) << error.message() << " after " << crowd.size() << " workers";
  }
  const auto creation = clock::now() - start;
  crowd.await_all_parked();
  report(resident_before, creation);
  EXPECT_EQ(running.workers(), crowd_size);

  for (int again = 0; again < 10; ++again) {
    EXPECT_EQ(crowd.add(), std::errc::resource_unavailable_try_again);
  }
  EXPECT_THROW(running.spawn([] { ADD_FAILURE(); }), std::system_error);
  EXPECT_EQ(running.workers(), crowd_size);

  // One leaves, one comes.
  crowd.let_one_go();
  while (running.workers() == crowd_size) umcg::yield();
  EXPECT_FALSE(crowd.add());
  EXPECT_EQ(crowd.add(), std::errc::resource_unavailable_try_again);
  crowd.await_all_parked();
  crowd.let_all_go();
}

}  // namespace
}  // namespace umcg::identity
