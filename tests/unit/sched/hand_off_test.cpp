// SPDX-License-Identifier: MIT

// Workers that block their carriers, or compute for ever, and say nothing of it: their servers go
// on with others all the same.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "kernel/usermode/spares.hpp"
#include "libumcg/preemption.hpp"
#include "libumcg/task.hpp"
#include "umcg/group.hpp"
#include "unit/sched/byte_pipe.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

using std::chrono::milliseconds;

class hand_off : public ::testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    if (on.description().find("usermode") == std::string::npos) GTEST_SKIP() << on.description();
  }

  // Others run, and wait, and run again.
  void others_go_on() {
    for (int round = 0; round < 50; ++round) {
      on.spawn([] { sleep_until(deadline::after(milliseconds(1))); }).join();
    }
  }

  testing::hang_limit limit;
  group on = group::start({.servers = GetParam()});
};

TEST_P(hand_off, of_workers_in_a_system_call) {
  const std::uint64_t before = on.counters().handoffs_by(handoff_cause::system_call);
  const testing::byte_pipe silent;
  constexpr int count = 20;
  std::vector<worker> stuck;
  for (int at = 0; at < count; ++at) {
    stuck.push_back(on.spawn([&silent] { silent.wait_for_byte(); }));
  }
  others_go_on();
  silent.send_bytes(count);
  for (worker& each : stuck) each.join();
  EXPECT_GE(on.counters().handoffs_by(handoff_cause::system_call) - before, count - GetParam());
}

// A page of memory that is not there before somebody brings it.
class absent_page {
 public:
  absent_page() {
    const auto made = ::syscall(SYS_userfaultfd, O_CLOEXEC);
    faults_.reset(static_cast<int>(made));
    if (!faults_) return;
    uffdio_api api{};
    api.api = UFFD_API;
    void* memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uffdio_register range{};
    range.range = {reinterpret_cast<std::uintptr_t>(memory), size};
    range.mode = UFFDIO_REGISTER_MODE_MISSING;
    if (::ioctl(faults_.get(), UFFDIO_API, &api) != 0 ||
        ::ioctl(faults_.get(), UFFDIO_REGISTER, &range) != 0) {
      return;
    }
    page_ = static_cast<char*>(memory);
  }
  absent_page(const absent_page&) = delete;
  absent_page& operator=(const absent_page&) = delete;
  ~absent_page() {
    if (page_ != nullptr) ::munmap(page_, size);
  }

  bool works() const { return page_ != nullptr; }
  char look() const { return std::atomic_ref<char>(*page_).load(); }
  void bring() const {
    std::vector<char> content(size, 'p');
    uffdio_copy copy{};
    copy.dst = reinterpret_cast<std::uintptr_t>(page_);
    copy.src = reinterpret_cast<std::uintptr_t>(content.data());
    copy.len = size;
    EXPECT_EQ(::ioctl(faults_.get(), UFFDIO_COPY, &copy), 0);
  }

 private:
  static constexpr std::size_t size = 4096;
  base::unique_fd faults_;
  char* page_ = nullptr;
};

TEST_P(hand_off, of_a_worker_in_a_page_fault) {
  const absent_page page;
  if (!page.works()) GTEST_SKIP() << "userfaultfd: " << std::strerror(errno);
  const std::uint64_t before = on.counters().handoffs_by(handoff_cause::page_fault);
  worker stuck = on.spawn([&page] { EXPECT_EQ(page.look(), 'p'); });
  others_go_on();
  page.bring();
  stuck.join();
  EXPECT_GE(on.counters().handoffs_by(handoff_cause::page_fault) - before, 2 - GetParam());
}

// A std::mutex that is held while its owner waits: whoever wants it blocks its carrier, and the
// owner has to run again for that to end.
TEST_P(hand_off, of_workers_that_want_a_mutex) {
  constexpr int count = 200;
  std::mutex mutex;
  int inside = 0;
  int entered = 0;
  std::vector<worker> workers;
  for (int at = 0; at < count; ++at) {
    workers.push_back(on.spawn([&] {
      const std::lock_guard<std::mutex> guard(mutex);
      EXPECT_EQ(++inside, 1);
      sleep_until(deadline::after(milliseconds(1)));
      --inside;
      ++entered;
    }));
  }
  for (worker& each : workers) each.join();
  EXPECT_EQ(entered, count);
}

TEST_P(hand_off, of_workers_that_compute) {
  std::atomic<bool> enough{false};
  std::vector<worker> busy;
  for (int at = 0; at < 4; ++at) {
    busy.push_back(on.spawn([&enough] {
      while (!enough) {
      }
    }));
  }
  others_go_on();
  enough = true;
}

// They are preempted too, but never with the lock of malloc in their hands: everybody else needs
// it, and whoever makes more carriers.
TEST_P(hand_off, of_workers_that_allocate) {
  std::atomic<bool> enough{false};
  std::vector<worker> busy;
  for (int at = 0; at < 16; ++at) {
    busy.push_back(on.spawn([&enough] {
      while (!enough) {
        std::vector<std::string> some;
        for (std::size_t size = 100; size < 60'000; size += 997) some.emplace_back(size, 'x');
      }
    }));
  }
  others_go_on();
  enough = true;
}

int take_queued_signals() {
  sigset_t all;
  sigfillset(&all);
  constexpr timespec at_once{0, 0};
  int count = 0;
  while (::sigtimedwait(&all, nullptr, &at_once) > 0) ++count;
  return count;
}

// They cannot be asked to yield, so they keep their carriers and lose their servers.
class deaf_workers {
 public:
  deaf_workers(group& on, unsigned count) {
    for (unsigned at = 0; at < count; ++at) workers_.push_back(on.spawn([this] { compute(); }));
  }
  void join() {
    enough_ = true;
    for (worker& each : workers_) each.join();
  }

 private:
  void compute() {
    sigset_t all;
    sigset_t usual;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &usual);
    while (!enough_) {
    }
    // Each would put a frame on the worker's stack: a request to yield, and the recall.
    EXPECT_LE(take_queued_signals(), 2);
    ::pthread_sigmask(SIG_SETMASK, &usual, nullptr);
  }

  std::atomic<bool> enough_{false};
  std::vector<worker> workers_;
};

TEST_P(hand_off, of_a_worker_that_computes_with_signals_blocked) {
  const std::uint64_t before = on.counters().handoffs_by(handoff_cause::quantum);
  deaf_workers deaf(on, GetParam());
  others_go_on();
  deaf.join();
  EXPECT_GE(on.counters().handoffs_by(handoff_cause::quantum) - before, 1U);
}

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
TEST_P(hand_off, goes_on_when_spares_come_late) {
  if (testing::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer puts handlers off";
  using kernel::usermode::look_at_spares;
  EXPECT_TRUE(testing::becomes_true(
      [] { return look_at_spares().resting >= kernel::usermode::ready_least; }));
  const kernel::usermode::spare_figures before = look_at_spares();
  kernel::usermode::limit_spares(before.made);
  std::optional<deaf_workers> deaf;
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

// Having lost its server it computes beside that, on a carrier of its own, until it is recalled.
TEST_P(hand_off, is_no_way_to_compute_beside_the_servers) {
  if (testing::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer blocks all signals in handlers";
  const testing::byte_pipe silent;
  constexpr int count = 4;
  std::atomic<int> back{0};
  std::vector<worker> lost;
  for (int at = 0; at < count; ++at) {
    lost.push_back(on.spawn([&] {
      silent.wait_for_byte();
      while (libumcg::current_task->claim.is_taken()) {
      }
      ++back;
    }));
  }
  others_go_on();
  EXPECT_GE(on.counters().handoffs_by(handoff_cause::system_call), count - GetParam());
  silent.send_bytes(count);
  while (back < count) others_go_on();
}

struct kernel_thread {
  long id = ::syscall(SYS_gettid);
  void* alternate_stack = [] {
    stack_t now{};
    ::sigaltstack(nullptr, &now);
    return now.ss_sp;
  }();
};

// Two signals that are handled at once, the second on top of the first, of which the first finds
// the worker in the C library and the second does not: it comes back on another carrier.
TEST_P(hand_off, leaves_each_carrier_its_alternate_stack) {
  const testing::byte_pipe silent;
  std::atomic<bool> goes{false};
  std::atomic<bool> is_back{false};
  kernel_thread left;
  worker twice_asked = on.spawn([&] {
    sigset_t all;
    sigset_t usual;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &usual);
    const libumcg::task_reference self = libumcg::refer_to(*libumcg::current_task);
    libumcg::preempt(self, libumcg::asking::again);
    libumcg::preempt(self, libumcg::asking::again);
    goes = true;
    ::pthread_sigmask(SIG_SETMASK, &usual, nullptr);
    const kernel_thread here;
    silent.send_bytes(1);
    while (!is_back) yield();
    if (here.id != left.id) {
      EXPECT_NE(here.alternate_stack, left.alternate_stack);
    }
  });
  on.spawn([&] {
    while (!goes) yield();
    left = {};
    silent.wait_for_byte();
    is_back = true;
  });
  twice_asked.join();
}

// What the worker finds when it goes on is what it left.
TEST_P(hand_off, keeps_what_is_the_threads_own) {
  std::vector<worker> workers;
  for (int number = 1; number <= 20; ++number) {
    workers.push_back(on.spawn([number] {
      thread_local int own_value = 0;
      own_value = number;
      const pthread_t self = ::pthread_self();
      for (int round = 0; round < 20; ++round) {
        const timespec a_moment{0, 500'000};
        do {
          errno = number;
        } while (::nanosleep(&a_moment, nullptr) != 0);
        EXPECT_EQ(errno, number);
        yield();
        EXPECT_EQ(own_value, number);
        EXPECT_TRUE(::pthread_equal(self, ::pthread_self()));
      }
    }));
  }
}

// When it is over, the carriers that it took are too many, and end.
TEST_P(hand_off, leaves_no_more_spares_than_before) {
  const testing::byte_pipe silent;
  constexpr int count = 60;
  std::vector<worker> stuck;
  for (int at = 0; at < count; ++at) {
    stuck.push_back(on.spawn([&silent] { silent.wait_for_byte(); }));
  }
  const auto made = [] { return kernel::usermode::look_at_spares().made; };
  EXPECT_TRUE(testing::becomes_true([&] { return made() >= count - GetParam(); }));
  silent.send_bytes(count);
  for (worker& each : stuck) each.join();
  const std::uint32_t few = kernel::usermode::ready_least + 2 * GetParam();
  EXPECT_TRUE(testing::becomes_true([&] { return made() <= few; })) << made();
}

// At the limit the blocked workers keep their servers until a carrier comes back.
TEST_P(hand_off, goes_on_as_far_as_there_are_carriers) {
  const kernel::usermode::spare_figures before = kernel::usermode::look_at_spares();
  kernel::usermode::limit_spares(before.made + 2);
  const testing::byte_pipe silent;
  constexpr int count = 30;
  std::vector<worker> stuck;
  for (int at = 0; at < count; ++at) {
    stuck.push_back(on.spawn([&silent] { silent.wait_for_byte(); }));
  }
  EXPECT_TRUE(testing::becomes_true([] {
    const kernel::usermode::spare_figures now = kernel::usermode::look_at_spares();
    return now.resting == 0 && now.made >= now.most;
  }));
  silent.send_bytes(count);
  for (worker& each : stuck) each.join();
  kernel::usermode::limit_spares(before.most);
  others_go_on();
}

INSTANTIATE_TEST_SUITE_P(servers, hand_off, ::testing::Values(1U, 2U));

}  // namespace
}  // namespace umcg
