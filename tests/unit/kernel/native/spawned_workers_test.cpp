// SPDX-License-Identifier: MIT
// The workers that a server group makes, over the native half on a fake kernel.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/futex.hpp"
#include "kernel/native/native_half.hpp"
#include "sanitizer.hpp"
#include "sched/server_group.hpp"
#include "umcg/worker.hpp"
#include "unit/kernel/native/fake_kernel.hpp"

namespace umcg::sched {
namespace {

testing::fake_kernel& machine() {
  static auto& made = *new testing::fake_kernel;
  return made;
}

libumcg::half& the_half() {
  static libumcg::half* const made = [] {
    std::string problem;
    return kernel::native::make_native_half(machine(), problem);
  }();
  return *made;
}

// No events: a server sleeps until it is told otherwise.
class no_events final : public event_source {
 public:
  void attach(libumcg::task& /*server*/) noexcept override {}
  void detach() noexcept override {}
  void poll() noexcept override {}
  void park(deadline until) noexcept override { base::sleep_until_set(unparked_, until); }
  void collect() noexcept override {}
  void unpark() noexcept override { base::set_and_wake(unparked_); }

 private:
  std::atomic<std::uint32_t> unparked_{0};
};

class spawned_workers : public ::testing::Test {
 protected:
  void SetUp() override {
    std::vector<std::unique_ptr<event_source>> sources;
    for (int at = 0; at < 2; ++at) sources.push_back(std::make_unique<no_events>());
    EXPECT_FALSE(group_.start(std::move(sources)));
  }

  worker spawn(body work) {
    std::error_code error;
    worker made = group_.spawn(std::move(work), {}, error);
    EXPECT_FALSE(error) << error.message();
    return made;
  }

  server_group group_{the_half(), {.stack_size_bytes = 256 * 1024, .workers_max = 0}};
};

TEST_F(spawned_workers, RunYieldBlockAndEnd) {
  constexpr int rounds = testing::instrumented ? 50 : 300;
  std::atomic<int> done{0};
  for (int round = 0; round < 3; ++round) {  // with new threads, then with pooled ones
    std::vector<worker> workers;
    for (int at = 0; at < 8; ++at) {
      workers.push_back(spawn([&done] {
        for (int left = rounds; left > 0; --left) {
          machine().sleep_while([] {});
          yield();
        }
        done.fetch_add(1);
      }));
    }
  }
  EXPECT_EQ(done.load(), 3 * 8);
}

// A body that sleeps when library code moves it, as making a thread may.
struct slow_to_move {
  slow_to_move() = default;
  slow_to_move(slow_to_move&& /*other*/) noexcept {
    machine().sleep_while([] {});
  }
  void operator()() const {}
};

// The kernel loses sight of a worker that sleeps in library code.
TEST_F(spawned_workers, AWorkerThatSpawnsIsSeenToBlock) {
  bool seen = false;
  spawn([&] {
    worker child = spawn(body(slow_to_move()));
    seen = machine().sleep_while([] {});
    child.join();
  }).join();
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace umcg::sched
