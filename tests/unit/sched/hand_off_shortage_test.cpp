// SPDX-License-Identifier: MIT

// Hand-offs where there is too little of something: carriers, CPUs for them, descriptors.
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernel/usermode/spares.hpp"
#include "sanitizer.hpp"
#include "unit/descriptor_limit.hpp"
#include "unit/sched/byte_pipe.hpp"
#include "unit/sched/deaf_workers.hpp"
#include "unit/sched/hand_off_stage.hpp"

namespace umcg {
namespace {

using std::chrono::milliseconds;

// There are no more carriers than when it was made.
class no_more_carriers {
 public:
  no_more_carriers() { kernel::usermode::limit_spares(before_.made); }
  no_more_carriers(const no_more_carriers&) = delete;
  no_more_carriers& operator=(const no_more_carriers&) = delete;
  ~no_more_carriers() { kernel::usermode::limit_spares(before_.most); }

  unsigned count() const { return before_.made; }

 private:
  kernel::usermode::spare_figures before_ = kernel::usermode::look_at_spares();
};

class hand_off_shortage : public testing::hand_off_stage {
 protected:
  std::vector<worker> spawn_stuck(unsigned count) {
    std::vector<worker> stuck;
    for (unsigned at = 0; at < count; ++at) {
      stuck.push_back(on.spawn([this] { silent.wait_for_byte(); }));
    }
    return stuck;
  }
  // That the maker has made what is to be ready.
  static void await_spares() {
    EXPECT_TRUE(testing::becomes_true([] {
      return kernel::usermode::look_at_spares().resting >= kernel::usermode::ready_least;
    }));
  }
  void let_go(std::vector<worker>& stuck) const {
    silent.send_bytes(stuck.size());
    for (worker& each : stuck) each.join();
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
    const bool all_go_on = testing::becomes_true([this] { return let_go == count_; });
    EXPECT_TRUE(all_go_on);
    if (all_go_on) ::sigaction(SIGRTMAX, &before_, nullptr);
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
  await_spares();
  std::optional<testing::deaf_workers> deaf;
  {
    const no_more_carriers limit_for_now;
    const held_carriers held;
    EXPECT_GE(held.count(), 1);
    deaf.emplace(on, GetParam());
    sleep_until(deadline::after(milliseconds(50)));
  }
  others_go_on();
  deaf->join();
}

// When it is over, the carriers that it took are too many, and end.
TEST_P(hand_off_shortage, leaves_no_more_spares_than_before) {
  constexpr unsigned count = 60;
  std::vector<worker> stuck = spawn_stuck(count);
  const auto made = [] { return kernel::usermode::look_at_spares().made; };
  EXPECT_TRUE(testing::becomes_true([&] { return made() >= count - GetParam(); }));
  let_go(stuck);
  const std::uint32_t few = kernel::usermode::ready_least + 2 * GetParam();
  EXPECT_TRUE(testing::becomes_true([&] { return made() <= few; })) << made();
}

// At the limit the blocked workers keep their servers until a carrier comes back.
TEST_P(hand_off_shortage, of_carriers) {
  const kernel::usermode::spare_figures before = kernel::usermode::look_at_spares();
  kernel::usermode::limit_spares(before.made + 2);
  std::vector<worker> stuck = spawn_stuck(30);
  EXPECT_TRUE(testing::becomes_true([] {
    const kernel::usermode::spare_figures now = kernel::usermode::look_at_spares();
    return now.resting == 0 && now.made >= now.most;
  }));
  let_go(stuck);
  kernel::usermode::limit_spares(before.most);
  others_go_on();
}

// A worker that computes is preempted there, also when it was in the C library until it had been
// long enough for a hand-off.
TEST_P(hand_off_shortage, of_carriers_for_one_that_computes) {
  if (testing::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer puts handlers off";
  await_spares();
  const no_more_carriers limit_for_now;
  std::vector<worker> stuck = spawn_stuck(limit_for_now.count());
  others_go_on();
  std::atomic<bool> enough{false};
  worker busy = on.spawn([&enough] {
    std::vector<char> memory(std::size_t{1} << 24);
    const deadline of_library = deadline::after(milliseconds(40));
    while (!of_library.passed()) std::memset(memory.data(), 1, memory.size());
    while (!enough) {
    }
  });
  others_go_on();
  enough = true;
  busy.join();
  let_go(stuck);
}

// The carriers that are made meanwhile cannot open the files of /proc that tell what they do.
TEST_P(hand_off_shortage, of_descriptors) {
  if (testing::address_sanitizer) GTEST_SKIP() << "UBSan opens descriptors to look at objects";
  std::vector<worker> stuck;
  {
    const testing::no_more_descriptors for_now;
    stuck = spawn_stuck(kernel::usermode::look_at_spares().made + 8);
    others_go_on();
  }
  others_go_on();
  let_go(stuck);
}

// A server that has lost a worker keeps a spare; when it sleeps, others may have that.
TEST_P(hand_off_shortage, of_carriers_that_are_kept_for_a_server_that_sleeps) {
  group asleep = group::start({.servers = 1});
  worker first = asleep.spawn([this] { silent.wait_for_byte(); });
  asleep.spawn([] {}).join();
  silent.send_bytes(1);
  first.join();
  await_spares();
  const no_more_carriers limit_for_now;
  std::vector<worker> stuck = spawn_stuck(limit_for_now.count() - 1);  // it sleeps on one of them
  others_go_on();
  let_go(stuck);
}

INSTANTIATE_TEST_SUITE_P(servers, hand_off_shortage, ::testing::Values(1U, 2U));

}  // namespace
}  // namespace umcg
