// SPDX-License-Identifier: MIT

// Whether a signal still waits at a kernel thread.
#include "kernel/usermode/pending_signal.hpp"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <ctime>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libumcg/preemption.hpp"
#include "unit/descriptor_limit.hpp"

namespace umcg::kernel::usermode {
namespace {

// The calling kernel thread as a carrier that blocks the signal.
class deaf_carrier {
 public:
  deaf_carrier() {
    sigemptyset(&ours_);
    sigaddset(&ours_, libumcg::preemption_signal());
    ::pthread_sigmask(SIG_BLOCK, &ours_, nullptr);
    on.kernel_thread.store(static_cast<pid_t>(::syscall(SYS_gettid)));
  }

  void send() {
    ::tgkill(::getpid(), on.kernel_thread.load(), libumcg::preemption_signal());
    note_signal(on);
  }
  void take() const {
    constexpr timespec at_once{0, 0};
    EXPECT_EQ(::sigtimedwait(&ours_, nullptr, &at_once), libumcg::preemption_signal());
  }

  carrier on;

 private:
  sigset_t ours_;
};

class pending_signal : public ::testing::Test {
 protected:
  pending_signal() { EXPECT_EQ(libumcg::install_preemption(), 0); }
};

void see_one_come_and_go() {
  deaf_carrier deaf;
  EXPECT_TRUE(may_signal(deaf.on));
  deaf.send();
  EXPECT_FALSE(may_signal(deaf.on));
  EXPECT_FALSE(may_signal(deaf.on));
  deaf.take();
  EXPECT_TRUE(may_signal(deaf.on));
}

TEST_F(pending_signal, is_seen_until_it_is_taken) { std::thread(see_one_come_and_go).join(); }

// Their numbers stand before what is looked for. A kernel thread may have groups of its own.
TEST_F(pending_signal, is_seen_behind_many_groups) {
  std::thread([] {
    for (std::size_t count = 100; count < 190; ++count) {
      const std::vector<gid_t> groups(count, 4'000'000'000);
      if (::syscall(SYS_setgroups, groups.size(), groups.data()) != 0) {
        GTEST_SKIP() << "needs to be root";
      }
      see_one_come_and_go();
    }
  }).join();
}

// The system is asked only if no handler has counted it, and may not be able to answer.
TEST_F(pending_signal, is_none_any_more_when_a_handler_has_counted_it) {
  std::thread([] {
    deaf_carrier deaf;
    const testing::no_more_descriptors for_now;
    EXPECT_TRUE(may_signal(deaf.on));
    deaf.send();
    deaf.take();
    EXPECT_FALSE(may_signal(deaf.on));
    ++deaf.on.signals_taken;
    EXPECT_TRUE(may_signal(deaf.on));
  }).join();
}

}  // namespace
}  // namespace umcg::kernel::usermode
