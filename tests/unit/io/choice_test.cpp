// SPDX-License-Identifier: MIT

// Which reactor a group gets: by name, and by what the kernel allows this thread.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "io/reactor.hpp"

namespace umcg::io {
namespace {

// From now on this system call of the calling thread fails. False: the kernel has no filters.
bool deny(std::uint32_t number, std::uint32_t error) {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(steps), .filter = steps};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

struct denial {
  std::uint32_t number;
  std::uint32_t error;
  const char* said;
};

// What "auto" says where the kernel refuses.
std::string reason_under(const denial& refused, std::string& by_name) {
  std::string reason;
  std::thread([&] {
    if (!deny(refused.number, refused.error)) return;
    const made_reactor chosen = make_reactor("auto");
    reason = chosen.made != nullptr ? chosen.reason : "none: " + chosen.reason;
    const made_reactor uring = make_reactor("io_uring");
    by_name = uring.made != nullptr ? "made" : uring.reason;
  }).join();
  return reason;
}

TEST(choice, falls_back_to_epoll_and_says_why) {
  for (const denial& refused : {denial{SYS_io_uring_setup, EPERM, "Operation not permitted ("},
                                denial{SYS_io_uring_setup, ENOSYS, "Function not implemented ("},
                                denial{SYS_io_uring_setup, EINVAL, "needs Linux 5.19 or later"},
                                denial{SYS_io_uring_setup, ENOMEM, "ulimit -l"},
                                // A ring that can be made and not be used.
                                denial{SYS_io_uring_enter, EPERM, "Operation not permitted ("}}) {
    std::string by_name;
    const std::string reason = reason_under(refused, by_name);
    if (reason.empty()) GTEST_SKIP() << "the kernel has no seccomp filters";
    EXPECT_TRUE(reason.starts_with("reactor epoll: io_uring: ")) << reason;
    EXPECT_NE(reason.find(refused.said), std::string::npos) << reason;
    EXPECT_TRUE(by_name.starts_with("io_uring: ")) << by_name;
  }
}

TEST(choice, goes_by_name) {
  EXPECT_EQ(make_reactor("epoll").reason, "reactor epoll");
  const made_reactor unknown = make_reactor("kqueue");
  EXPECT_EQ(unknown.made, nullptr);
  EXPECT_NE(unknown.reason.find("use auto, io_uring or epoll"), std::string::npos);
}

}  // namespace
}  // namespace umcg::io
