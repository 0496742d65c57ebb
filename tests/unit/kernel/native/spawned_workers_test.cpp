// SPDX-License-Identifier: MIT
// The workers that a server group makes, over the native half on a fake kernel.
#include <dlfcn.h>
#include <pthread.h>

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

// The next thread is made by a call that sleeps. The sanitizers have a pthread_create of their own.
std::atomic<bool> next_thread_is_slow{false};

}  // namespace
}  // namespace umcg::sched

#if !defined(UMCG_TEST_THREAD_SANITIZER) && !defined(UMCG_TEST_ADDRESS_SANITIZER)
extern "C" int pthread_create(pthread_t* made, const pthread_attr_t* attributes,
                              void* (*main)(void*), void* argument) noexcept {
  if (umcg::sched::next_thread_is_slow.exchange(false)) umcg::sched::machine().sleep_while([] {});
  static const auto real =
      reinterpret_cast<decltype(&pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
  return real(made, attributes, main, argument);
}
#endif

namespace umcg::sched {
namespace {

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

// The kernel loses sight of a worker that sleeps in library code, where the half makes threads.
TEST_F(spawned_workers, AWorkerThatSpawnsIsSeenToBlock) {
  if (testing::instrumented) GTEST_SKIP() << "no thread is slow under a sanitizer";
  bool seen = false;
  spawn([&] {
    next_thread_is_slow = true;
    worker child = spawn([] {});
    EXPECT_FALSE(next_thread_is_slow);
    seen = machine().sleep_while([] {});
    child.join();
  }).join();
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace umcg::sched
