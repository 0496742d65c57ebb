// SPDX-License-Identifier: MIT
#include "kernel/native/handshake.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernel/native/native_half.hpp"
#include "umcg/libumcg.h"
#include "unit/kernel/native/fake_kernel.hpp"

namespace umcg::kernel::native {
namespace {

// Answers as a kernel would, and keeps what it was asked.
class scripted_kernel : public system_calls {
 public:
  using ctl_answer = std::function<long(std::uint32_t flags, const kernel_task* self)>;
  explicit scripted_kernel(ctl_answer ctl, long wait = -EFAULT)
      : ctl_(std::move(ctl)), wait_(wait) {}

  long ctl(std::uint32_t flags, kernel_task* self) noexcept override {
    asked.push_back(flags);
    return ctl_(flags, self);
  }
  long wait(std::uint32_t /*flags*/) noexcept override {
    ++waits;
    return wait_;
  }
  void reschedule() noexcept override {}

  std::vector<std::uint32_t> asked;
  int waits = 0;

 private:
  const ctl_answer ctl_;
  const long wait_;
};

scripted_kernel::ctl_answer answers(std::vector<long> each) {
  return [each = std::move(each), at = std::size_t{0}](std::uint32_t, const kernel_task*) mutable {
    return at < each.size() ? each[at++] : -EINVAL;
  };
}

TEST(handshake, TheKernelWithThePatchesIsKnown) {
  testing::fake_kernel faked;
  EXPECT_EQ(examine_kernel(faked), "");
  EXPECT_EQ(examine_kernel(faked), "");  // and nothing is left behind
  scripted_kernel scripted(answers({0, -EINVAL, 0, -EINVAL}), -EINVAL);
  EXPECT_EQ(examine_kernel(scripted), "");
  EXPECT_EQ(scripted.asked, (std::vector<std::uint32_t>{1, 1, 2, 2}));
}

TEST(handshake, TheFirstQuestionIsARealRegistration) {
  bool aligned = false;
  bool as_a_server = false;
  scripted_kernel stock([&](std::uint32_t flags, const kernel_task* self) -> long {
    aligned = self != nullptr && reinterpret_cast<std::uintptr_t>(self) % 64 == 0;
    as_a_server = flags == 1 && self->state.place() == 1 && self->next_tid.load() == 0 &&
                  self->flags == 0 && self->idle_workers.load() == 0 && self->idle_server == 0;
    return -EINVAL;
  });
  EXPECT_NE(examine_kernel(stock), "");
  EXPECT_TRUE(aligned);
  EXPECT_TRUE(as_a_server);
}

// set_mempolicy_home_node in the place of umcg_ctl, and kernels without either. The number of
// umcg_wait is then another call's and is left alone.
TEST(handshake, AStockKernelIsKnown) {
  const auto home_node = [](std::uint32_t flags, const kernel_task*) -> long {
    return flags == 0 ? 0 : -EINVAL;
  };
  scripted_kernel numa(home_node);
  EXPECT_EQ(examine_kernel(numa),
            "this kernel does not carry the UMCG patches (v0.9.1): umcg_ctl does not register a "
            "thread: Invalid argument");
  EXPECT_EQ(numa.asked, std::vector<std::uint32_t>{1});
  EXPECT_EQ(numa.waits, 0);
  for (const int error : {ENOSYS, EPERM, EFAULT, EBADF}) {
    scripted_kernel refusing([error](std::uint32_t, const kernel_task*) -> long { return -error; });
    EXPECT_NE(examine_kernel(refusing), "");
    EXPECT_EQ(refusing.asked.size(), 1U);
    EXPECT_EQ(refusing.waits, 0);
  }
}

TEST(handshake, WhatAnswersOtherwiseIsNotUmcg) {
  const std::vector<std::vector<long>> others = {
      {0, 0},                 // success to everything
      {0, -EBUSY},            // another idea of registering twice
      {0, -EINVAL, -EINVAL},  // does not unregister
      {0, -EINVAL, 0, 0},     // unregisters whom it does not know
      {1},
  };
  for (const auto& each : others) {
    scripted_kernel other(answers(each));
    EXPECT_NE(examine_kernel(other), "");
    EXPECT_EQ(other.asked.size(), each.size());
    EXPECT_EQ(other.waits, 0);
  }
  scripted_kernel wrong_number_for_wait(answers({0, -EINVAL, 0, -EINVAL}), -EFAULT);
  EXPECT_NE(examine_kernel(wrong_number_for_wait), "");
}

TEST(numbers, AreThoseOfThePatchesUnlessTold) {
  call_numbers numbers;
  std::string problem;
#if defined(__x86_64__)
  EXPECT_TRUE(read_numbers(nullptr, numbers, problem));
  EXPECT_EQ(numbers.ctl, 450);
  EXPECT_EQ(numbers.wait, 451);
#else
  EXPECT_FALSE(read_numbers(nullptr, numbers, problem));
  EXPECT_NE(problem, "");
#endif
  EXPECT_TRUE(read_numbers("461,462", numbers, problem));
  EXPECT_EQ(numbers.ctl, 461);
  EXPECT_EQ(numbers.wait, 462);
}

TEST(numbers, AreTwoOfTheRange) {
  for (const char* wrong :
       {"", "450", "450,", ",451", "450,450", "450,451,452", "450;451", " 450,451", "450, 451",
        "0,1", "423,424", "511,512", "-450,451", "0x1c2,451", "99999999999999999999,451", "x"}) {
    call_numbers numbers;
    std::string problem;
    EXPECT_FALSE(read_numbers(wrong, numbers, problem)) << wrong;
    EXPECT_NE(problem.find(std::string("UMCG_NATIVE_SYSCALLS=") + wrong), std::string::npos);
    EXPECT_NE(problem.find("from 424 to 511"), std::string::npos) << problem;
  }
}

std::array<long, 2> memory_policy() {
  int mode = -1;
  const long failed = ::syscall(SYS_get_mempolicy, &mode, nullptr, 0UL, nullptr, 0UL);
  return {failed, mode};
}

// The machine that the test runs on, which will hardly carry the patches.
TEST(this_kernel, SaysWhatIsMissingAndIsLeftAsItWas) {
  const auto before = memory_policy();
  std::string problem;
  if (native_half(problem) != nullptr) GTEST_SKIP() << "this kernel carries the patches";
  EXPECT_NE(problem.find("UMCG"), std::string::npos) << problem;
  EXPECT_EQ(memory_policy(), before);
  EXPECT_EQ(umcg_use_kernel_half("native"), -1);
  EXPECT_EQ(errno, ENOTSUP);
  const std::string why = umcg_kernel_half();
  EXPECT_EQ(why, "kernel half native does not work here: " + problem);
  // Nothing is chosen by that.
  EXPECT_EQ(umcg_use_kernel_half("futex"), 0);
  EXPECT_EQ(umcg_kernel_half(), std::string("kernel half futex, as asked for"));
  EXPECT_EQ(umcg_use_kernel_half("native"), -1);
  EXPECT_EQ(errno, ENOTSUP);
  EXPECT_EQ(umcg_kernel_half(), std::string("kernel half futex, as asked for"));
}

}  // namespace
}  // namespace umcg::kernel::native
