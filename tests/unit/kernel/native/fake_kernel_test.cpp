// SPDX-License-Identifier: MIT
// The fake is what the native half's tests stand on: that it answers as the contract's tables say,
// and that it does notice what the real kernel would kill for.
#include "unit/kernel/native/fake_kernel.hpp"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "kernel/native/signals_kept.hpp"

namespace umcg::testing {
namespace {

using kernel::native::kernel_state;
using kernel::native::kernel_task;
using kernel::native::signals_kept;

fake_kernel& machine() {
  static fake_kernel& made = *new fake_kernel;
  return made;
}

std::uint32_t own_name() { return static_cast<std::uint32_t>(base::raw_syscall(SYS_gettid)); }

TEST(fake_kernel, RegistersAsTheTableSays) {
  std::thread([] {
    kernel_task self;
    EXPECT_EQ(machine().ctl(2, nullptr), -EINVAL);
    EXPECT_EQ(machine().ctl(0, &self), -EINVAL);
    EXPECT_EQ(machine().ctl(1, nullptr), -EINVAL);
    EXPECT_EQ(machine().ctl(1, &self), -EINVAL);  // neither running
    self.state.begin(kernel_state::running);
    EXPECT_EQ(machine().ctl(0x10001, &self), -EINVAL);  // nor, a worker, blocked
    EXPECT_EQ(machine().ctl(5, &self), -EINVAL);
    EXPECT_EQ(machine().ctl(3, &self), -EINVAL);
    self.next_tid.store(1);
    EXPECT_EQ(machine().ctl(1, &self), -EINVAL);
    self.next_tid.store(0);
    EXPECT_EQ(machine().ctl(1, &self), 0);
    EXPECT_EQ(machine().ctl(1, &self), -EINVAL);
    EXPECT_EQ(machine().ctl(2, &self), -EINVAL);
    EXPECT_EQ(machine().ctl(2, nullptr), 0);
    EXPECT_EQ(machine().ctl(2, nullptr), -EINVAL);
  }).join();
}

TEST(fake_kernel, WakesAsTheTableSays) {
  std::thread([] {
    EXPECT_EQ(machine().wait(0), -EINVAL);
    EXPECT_EQ(machine().wait(1), -EINVAL);
    kernel_task self;
    self.state.begin(kernel_state::running);
    EXPECT_EQ(machine().ctl(1, &self), 0);
    EXPECT_EQ(machine().wait(1), -EINVAL);  // nobody to wake
    self.next_tid.store(own_name());
    EXPECT_EQ(machine().wait(1), 0);
    EXPECT_EQ(machine().wait(3), 0);
    EXPECT_EQ(machine().wait(5), -EINVAL);
    self.next_tid.store(1);
    EXPECT_EQ(machine().wait(1), -ESRCH);
    const signals_kept here;
    EXPECT_EQ(machine().wait(0), -ESRCH);
    self.next_tid.store(0);
    EXPECT_EQ(machine().wait(0), 0);  // running: no sleep
    EXPECT_EQ(machine().ctl(2, nullptr), 0);
  }).join();
}

// A server, which is the calling thread, and a worker, which does `work` when it runs and then
// leaves. Both by hand: no library in between.
class by_hand {
 public:
  using body = std::function<void(kernel_task& server, kernel_task& self)>;

  explicit by_hand(const body& work) {
    server_.state.begin(kernel_state::running);
    EXPECT_EQ(machine().ctl(1, &server_), 0);
    worker_.state.begin(kernel_state::blocked);
    worker_.idle_workers.store(reinterpret_cast<std::uint64_t>(&head_));
    worker_.idle_server = reinterpret_cast<std::uint64_t>(&slot_);
    server_.state.step_aside();
    slot_.store(own_name());
    std::thread thread([&] { be_worker(work); });
    serve();
    thread.join();
    server_.next_tid.store(0);
    EXPECT_EQ(machine().ctl(2, nullptr), 0);
  }

 private:
  void be_worker(const body& work) {
    name_.store(own_name());
    {
      const signals_kept until_it_runs;
      EXPECT_EQ(machine().ctl(0x10001, &worker_), 0);
    }
    work(server_, worker_);
    worker_.state.lock();
    has_ended_.store(true);
    server_.state.step_in();
    EXPECT_EQ(machine().wait(1), 0);  // next_tid is the server still
    EXPECT_EQ(machine().ctl(2, nullptr), 0);
  }

  void serve() {
    const signals_kept here;
    EXPECT_EQ(machine().wait(0), 0);  // ends when the worker has registered
    EXPECT_EQ(slot_.load(), 0U);
    while (!has_ended_.load()) {
      while (head_.load() == 0) base::give_way();
      EXPECT_EQ(head_.exchange(0), reinterpret_cast<std::uint64_t>(&worker_.idle_workers));
      EXPECT_EQ(worker_.idle_workers.exchange(reinterpret_cast<std::uint64_t>(&head_)), 0U);
      EXPECT_EQ(worker_.state.place(), kernel_state::idle);
      server_.state.step_aside();
      EXPECT_TRUE(worker_.state.claim());
      worker_.next_tid.store(own_name());
      worker_.state.release();
      server_.next_tid.store(name_.load());
      EXPECT_EQ(machine().wait(0), 0);
    }
  }

  std::atomic<std::uint64_t> head_{0};
  std::atomic<std::uint32_t> slot_{0};
  kernel_task server_;
  kernel_task worker_;
  std::atomic<std::uint32_t> name_{0};
  std::atomic<bool> has_ended_{false};
};

TEST(fake_kernel, SeesASleepAndHoldsTheWorker) {
  by_hand([](kernel_task& server, kernel_task& self) {
    EXPECT_EQ(server.state.place(), kernel_state::idle);
    std::uint64_t inside = 0;
    EXPECT_TRUE(machine().sleep_while([&] { inside = self.state.place(); }));
    EXPECT_EQ(inside, kernel_state::blocked);
    EXPECT_EQ(self.state.place(), kernel_state::running);
    self.state.lock();
    EXPECT_FALSE(machine().sleep_while([] {}));
    self.state.unlock();
  });
}

TEST(fake_kernel, LosesSightOfAWorkerThatSleepsLocked) {
  const int before = machine().unseen();
  by_hand([](kernel_task& /*server*/, kernel_task& self) {
    self.state.lock();
    EXPECT_FALSE(machine().sleep_while([] {}));
    self.state.unlock();
    EXPECT_FALSE(machine().sleep_while([] {}));
    // From that one it returned running, so:
    EXPECT_TRUE(machine().sleep_while([] {}));
  });
  EXPECT_EQ(machine().unseen(), before + 1);
}

// A breach ends a process: this program, started again. An emulator may not be able to.
bool can_be_started_again() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/proc/self/exe", "fake_kernel_test", "--gtest_filter=none", nullptr);
    ::_exit(1);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

class breach_test : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!can_be_started_again()) GTEST_SKIP() << "this program cannot be started again here";
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  }
};

TEST_F(breach_test, OfWhatARunningWorkerOwes) {
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& self) {
                 self.next_tid.store(0);
                 machine().tick();
               }),
               "SIGKILL: a running worker without a server");
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& self) {
                 self.next_tid.store(1);
                 machine().tick();
               }),
               "SIGKILL: the server of a running worker does not exist");
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& self) {
                 self.next_tid.store(1);
                 machine().page_fault();
               }),
               "SIGKILL: a worker blocks and its server does not exist");
  EXPECT_DEATH(by_hand([](auto& server, auto& /*self*/) {
                 server.state.begin(kernel_state::blocked);
                 machine().tick();
               }),
               "the server of a running worker is not idle");
}

TEST_F(breach_test, OfStates) {
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& self) {
                 self.state.begin(kernel_state::idle);
                 machine().tick();
               }),
               "SIGKILL: user code of an idle worker");
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& /*self*/) { machine().wait(0); }), "lost");
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& /*self*/) {
                 const signals_kept here;
                 machine().wait(0);
               }),
               "umcg_wait of a worker that is not locked");
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& /*self*/) { machine().wait(1); }),
               "next_tid of a running worker is not its server");
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& /*self*/) { machine().ctl(2, nullptr); }),
               "a worker unregisters without being locked");
}

TEST_F(breach_test, OfTheIdleList) {
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& self) {
                 self.idle_workers.store(0);
                 machine().page_fault();
               }),
               "SIGKILL: no idle list or no slot");
  EXPECT_DEATH(by_hand([](auto& /*server*/, auto& self) {
                 self.idle_server = 0;
                 machine().page_fault();
               }),
               "SIGKILL: no idle list or no slot");
  alignas(64) std::array<std::byte, 2 * sizeof(kernel_task)> bytes{};
  auto* astray = reinterpret_cast<kernel_task*>(&bytes[8]);
  reinterpret_cast<std::atomic<std::uint64_t>*>(&bytes[8])->store(kernel_state::running);
  EXPECT_DEATH(machine().ctl(1, astray), "the struct is not aligned");
}

}  // namespace
}  // namespace umcg::testing
