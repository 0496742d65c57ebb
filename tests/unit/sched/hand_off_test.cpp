// SPDX-License-Identifier: MIT

// Workers that block their carriers, or compute for ever, and say nothing of it: their servers go
// on with others all the same.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "unit/sched/byte_pipe.hpp"
#include "unit/sched/hand_off_stage.hpp"

namespace umcg {
namespace {

using std::chrono::milliseconds;

class hand_off : public testing::hand_off_stage {};

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

INSTANTIATE_TEST_SUITE_P(servers, hand_off, ::testing::Values(1U, 2U));

}  // namespace
}  // namespace umcg
