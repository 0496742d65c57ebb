// SPDX-License-Identifier: MIT

// What a kernel thread does, where its file can be opened and where it cannot.
#include "kernel/usermode/thread_sample.hpp"

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include <gtest/gtest.h>

#include "unit/descriptor_limit.hpp"

namespace umcg::kernel::usermode {
namespace {

pid_t own_number() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

TEST(thread_status, tells_who_runs_from_who_sleeps) {
  std::atomic<pid_t> number{0};
  std::atomic<bool> may_sleep{false};
  std::atomic<bool> may_end{false};
  std::thread other([&] {
    number = own_number();
    while (!may_sleep) {
    }
    may_end.wait(false);
  });
  while (number == 0) std::this_thread::yield();
  thread_status status;
  EXPECT_EQ(status.look().what, thread_sample::state::not_known);
  EXPECT_EQ(status.open(number), 0);
  EXPECT_EQ(status.look().what, thread_sample::state::running);
  may_sleep = true;
  thread_sample found;
  while (found.system_call != SYS_futex) found = status.look();
  EXPECT_EQ(found.what, thread_sample::state::sleeping);
  may_end = true;
  may_end.notify_one();
  other.join();
}

// A thread that looks at itself is in the system call that reads.
TEST(thread_status, is_known_again_when_there_are_descriptors) {
  const std::atomic<pid_t> self{own_number()};
  thread_status status;
  {
    const testing::no_more_descriptors for_now;
    EXPECT_TRUE(thread_status::works());  // as far as one can see
    EXPECT_EQ(status.open(self), EMFILE);
    EXPECT_FALSE(status.is_open());
    EXPECT_EQ(status.look().what, thread_sample::state::not_known);
  }
  EXPECT_TRUE(thread_status::works());
  EXPECT_EQ(status.open(self), 0);
  EXPECT_EQ(status.look().system_call, SYS_pread64);
  // Of a later kernel thread: what was open is the former's, and does not count.
  const testing::no_more_descriptors for_now;
  EXPECT_EQ(status.open(self), EMFILE);
  EXPECT_EQ(status.look().what, thread_sample::state::not_known);
}

}  // namespace
}  // namespace umcg::kernel::usermode
