// SPDX-License-Identifier: MIT

// Hand-offs where there is too little of something: carriers, CPUs for them, descriptors.
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernel/usermode/spares.hpp"
#include "sanitizer.hpp"
#include "unit/sched/byte_pipe.hpp"
#include "unit/sched/deaf_workers.hpp"
#include "unit/sched/hand_off_stage.hpp"

namespace umcg {
namespace {

using std::chrono::milliseconds;

class hand_off_shortage : public testing::hand_off_stage {
 protected:
  std::vector<worker> spawn_stuck(unsigned count) {
    std::vector<worker> stuck;
    for (unsigned at = 0; at < count; ++at) {
      stuck.push_back(on.spawn([this] { silent.wait_for_byte(); }));
    }
    return stuck;
  }

  const testing::byte_pipe silent;
};

// Keeps the carriers that there are from taking what they are called for, as a machine does whose
// CPUs others want.
class held_carriers {
 public:
  held_carriers() {
    are_held = true;
    let_go = 0;
    struct sigaction action {};
    action.sa_handler = hold;
    ::sigaction(SIGRTMAX, &action, &before_);
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::getline(std::ifstream(thread.path() / "comm"), name);
      if (name != "umcg-carrier") continue;
      const int id = std::stoi(thread.path().filename());
      if (::tgkill(::getpid(), id, SIGRTMAX) == 0) ++count_;
    }
  }
  held_carriers(const held_carriers&) = delete;
  held_carriers& operator=(const held_carriers&) = delete;
  ~held_carriers() {
    are_held = false;
    EXPECT_TRUE(testing::becomes_true([this] { return let_go == count_; }));
    ::sigaction(SIGRTMAX, &before_, nullptr);
  }

  int count() const { return count_; }

 private:
  static void hold(int /*signal*/) {
    while (are_held) ::sched_yield();
    ++let_go;
  }

  static inline std::atomic<bool> are_held{false};
  static inline std::atomic<int> let_go{0};
  struct sigaction before_ {};
  int count_ = 0;
};

// The monitor looks many times before a spare comes.
TEST_P(hand_off_shortage, of_cpus_for_spares) {
  if (testing::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer puts handlers off";
  using kernel::usermode::look_at_spares;
  EXPECT_TRUE(testing::becomes_true(
      [] { return look_at_spares().resting >= kernel::usermode::ready_least; }));
  const kernel::usermode::spare_figures before = look_at_spares();
  kernel::usermode::limit_spares(before.made);
  std::optional<testing::deaf_workers> deaf;
  {
    const held_carriers held;
    EXPECT_GE(held.count(), 1);
    deaf.emplace(on, GetParam());
    sleep_until(deadline::after(milliseconds(50)));
  }
  kernel::usermode::limit_spares(before.most);
  others_go_on();
  deaf->join();
}

// When it is over, the carriers that it took are too many, and end.
TEST_P(hand_off_shortage, leaves_no_more_spares_than_before) {
  constexpr int count = 60;
  std::vector<worker> stuck = spawn_stuck(count);
  const auto made = [] { return kernel::usermode::look_at_spares().made; };
  EXPECT_TRUE(testing::becomes_true([&] { return made() >= count - GetParam(); }));
  silent.send_bytes(count);
  for (worker& each : stuck) each.join();
  const std::uint32_t few = kernel::usermode::ready_least + 2 * GetParam();
  EXPECT_TRUE(testing::becomes_true([&] { return made() <= few; })) << made();
}

// At the limit the blocked workers keep their servers until a carrier comes back.
TEST_P(hand_off_shortage, of_carriers) {
  const kernel::usermode::spare_figures before = kernel::usermode::look_at_spares();
  kernel::usermode::limit_spares(before.made + 2);
  constexpr int count = 30;
  std::vector<worker> stuck = spawn_stuck(count);
  EXPECT_TRUE(testing::becomes_true([] {
    const kernel::usermode::spare_figures now = kernel::usermode::look_at_spares();
    return now.resting == 0 && now.made >= now.most;
  }));
  silent.send_bytes(count);
  for (worker& each : stuck) each.join();
  kernel::usermode::limit_spares(before.most);
  others_go_on();
}

// The carriers that are made meanwhile cannot open the files of /proc that tell what they do.
TEST_P(hand_off_shortage, of_descriptors) {
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &usual), 0);
  const rlimit none{3, usual.rlim_max};
  const unsigned count = kernel::usermode::look_at_spares().made + 8;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  std::vector<worker> stuck = spawn_stuck(count);
  others_go_on();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &usual), 0);
  others_go_on();
  silent.send_bytes(count);
  for (worker& each : stuck) each.join();
}

// A server that has lost a worker keeps a spare; when it sleeps, others may have that.
TEST_P(hand_off_shortage, of_carriers_that_are_kept_for_a_server_that_sleeps) {
  group asleep = group::start({.servers = 1});
  worker stuck = asleep.spawn([this] { silent.wait_for_byte(); });
  asleep.spawn([] {}).join();
  silent.send_bytes(1);
  stuck.join();
  EXPECT_TRUE(testing::becomes_true(
      [] { return kernel::usermode::look_at_spares().resting >= kernel::usermode::ready_least; }));
  const kernel::usermode::spare_figures before = kernel::usermode::look_at_spares();
  kernel::usermode::limit_spares(before.made);
  const unsigned others = before.made - 1;  // the server that sleeps is on one
  std::vector<worker> all = spawn_stuck(others);
  others_go_on();
  silent.send_bytes(others);
  for (worker& each : all) each.join();
  kernel::usermode::limit_spares(before.most);
}

INSTANTIATE_TEST_SUITE_P(servers, hand_off_shortage, ::testing::Values(1U, 2U));

}  // namespace
}  // namespace umcg
