// SPDX-License-Identifier: MIT
// T25 to T37: groups, registration and waking.
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "contract/harness.hpp"
#include "contract/settings.hpp"
#include "sanitizer.hpp"

namespace contract {
namespace {

TEST(library, T25_TheHalfIsKnownAndChosenOnce) {
  EXPECT_TRUE(umcg_enabled());
  EXPECT_NE(std::string(umcg_kernel_half()).find("kernel half "), std::string::npos);
  EXPECT_FAILS(umcg_use_kernel_half("no such half"), EINVAL);
  EXPECT_FAILS(umcg_use_kernel_half(nullptr), EINVAL);
  if (is_simulated()) return;
  EXPECT_EQ(umcg_use_kernel_half(half_name().c_str()), 0);
  if (half_name() != "futex") EXPECT_FAILS(umcg_use_kernel_half("futex"), EBUSY);
}

TEST(library, T26_IdAndTagOfAThreadThatIsNotRegistered) {
  const umcg_tid mine = umcg_get_utid();
  EXPECT_NE(mine, UMCG_NONE);
  EXPECT_EQ(umcg_get_utid(), mine);
  EXPECT_EQ(umcg_get_task_tag(mine), 0);
  EXPECT_EQ(umcg_register_basic_task(7), mine);
  EXPECT_EQ(umcg_get_task_tag(mine), 7);
  umcg_set_task_tag(mine, -8);
  EXPECT_EQ(umcg_get_task_tag(mine), -8);
  EXPECT_EQ(umcg_unregister_task(), 0);
  EXPECT_EQ(umcg_get_utid(), mine);
  umcg_tid other = UMCG_NONE;
  thread([&other] { other = umcg_get_utid(); }).join();
  EXPECT_NE(other, mine);
  umcg_set_task_tag(other, 9);
  EXPECT_EQ(umcg_get_task_tag(other), 0);
  umcg_set_task_tag(UMCG_NONE, 9);
  EXPECT_EQ(umcg_get_task_tag(UMCG_NONE), 0);
}

// Destructors of a thread's own objects come in any order.
struct asks_at_the_end {
  umcg_tid* answer = nullptr;
  ~asks_at_the_end() {
    if (answer != nullptr) *answer = umcg_get_utid();
  }
};

TEST(library, T26_AThreadThatEndsIsNobody) {
  umcg_tid at_the_end = 1;
  umcg_tid before = UMCG_NONE;
  {
    thread one([&] {
      thread_local asks_at_the_end last;  // made first, hence destroyed last
      last.answer = &at_the_end;
      before = umcg_get_utid();
    });
  }
  EXPECT_NE(before, UMCG_NONE);
  EXPECT_EQ(at_the_end, UMCG_NONE);
}

TEST(library, T27_AGroupTakesNoSignalOver) {
  struct sigaction before {};
  struct sigaction now {};
  ::sigaction(SIGUSR1, nullptr, &before);
  const umcg_t made = umcg_create_group(UMCG_GROUP_ENABLE_PREEMPTION);
  ::sigaction(SIGUSR1, nullptr, &now);
  EXPECT_EQ(now.sa_handler, before.sa_handler);
  EXPECT_EQ(umcg_destroy_group(made), 0);
  EXPECT_NONE(umcg_create_group(0x4), EINVAL);
  EXPECT_FAILS(umcg_set_preemption_signal(SIGUSR1), EINVAL);
  EXPECT_FAILS(umcg_set_preemption_signal(SIGRTMIN + 4), EBUSY);
}

TEST(library, T28_OnlyAnEmptyGroupCanBeDestroyed) {
  EXPECT_FAILS(umcg_destroy_group(UMCG_NONE), EINVAL);
  EXPECT_EQ(umcg_destroy_group(umcg_create_group(0)), 0);
  group group;
  worker never_run(group, [] {});
  EXPECT_TRUE(eventually([&] { return is_listed(never_run.id()); }));
  EXPECT_FAILS(umcg_destroy_group(group), EBUSY);
  const registration self(umcg_register_server(group, 0));
  EXPECT_FAILS(umcg_destroy_group(group), EBUSY);
  run_until_gone(never_run);
  EXPECT_FAILS(umcg_destroy_group(group), EBUSY);
}

TEST(library, T29_ErrorsOfRegistrationAreExact) {
  EXPECT_NE(umcg_register_basic_task(0), UMCG_NONE);
  EXPECT_NONE(umcg_register_basic_task(0), EINVAL);
  EXPECT_NONE(umcg_register_worker(UMCG_NONE, 0), EINVAL);
  EXPECT_EQ(umcg_unregister_task(), 0);
  EXPECT_NONE(umcg_register_server(UMCG_NONE, 0), EINVAL);
  group group;
  std::vector<std::unique_ptr<server>> servers;
  std::atomic<bool> stop{false};
  if (is_simulated() || umcg::testing::instrumented) return;
  for (int at = 0; at < 256; ++at) {
    servers.push_back(std::make_unique<server>(group, [&stop] {
      while (!stop.load()) umcg_get_idle_worker_until(after(milliseconds(50)));
    }));
  }
  EXPECT_TRUE(eventually([&] {
    return std::ranges::all_of(servers, [](const auto& each) { return state_of(each->id()) != 0; });
  }));
  EXPECT_NONE(umcg_register_server(group, 0), EAGAIN);
  EXPECT_EQ(umcg_get_task_state(umcg_get_utid()), std::uint64_t{UMCG_TASK_NONE});
  stop.store(true);
}

TEST(library, T30_OneThreadIsOneThingAfterTheOther) {
  group first;
  group second;
  second.serve(1);
  thread both([&] {
    const umcg_tid id = umcg_get_utid();
    EXPECT_EQ(umcg_register_basic_task(1), id);
    EXPECT_EQ(umcg_unregister_task(), 0);
    EXPECT_EQ(umcg_register_server(first, 2), id);
    EXPECT_NONE(umcg_get_idle_worker(false), 0);
    EXPECT_EQ(umcg_unregister_task(), 0);
    EXPECT_EQ(umcg_register_worker(second, 3), id);
    EXPECT_EQ(umcg_get_task_tag(id), 3);
    EXPECT_EQ(umcg_unregister_task(), 0);
    EXPECT_EQ(umcg_register_basic_task(4), id);
    EXPECT_FAILS(umcg_wait(after(milliseconds(1))), ETIMEDOUT);
    EXPECT_EQ(umcg_unregister_task(), 0);
  });
}

TEST(library, T31_TheIdOfAnEndedThreadMeansNobody) {
  std::vector<umcg_tid> ended;
  for (int round = 0; round < 20; ++round) {
    basic one([] {});
    one.join();
    ended.push_back(one.id());
  }
  std::atomic<bool> stop{false};
  std::vector<std::unique_ptr<basic>> now;
  for (int at = 0; at < 20; ++at) {
    now.push_back(std::make_unique<basic>([&stop] {
      while (!stop.load()) pause();
      EXPECT_FAILS(umcg_wait(after(nanoseconds(1))), ETIMEDOUT);
    }));
  }
  group group;
  {
    const registration self(umcg_register_server(group, 0));
    for (const umcg_tid id : ended) {
      EXPECT_FAILS(umcg_wake(id, false), ESRCH);
      EXPECT_FAILS(umcg_preempt_worker(id), ESRCH);
      EXPECT_NONE(umcg_run_worker(id), ESRCH);
      EXPECT_EQ(umcg_get_task_tag(id), 0);
      EXPECT_EQ(umcg_get_task_state(id), std::uint64_t{UMCG_TASK_NONE});
    }
  }
  stop.store(true);
}

TEST(library, T32_AWakeOfARunningTaskEndsItsNextWait) {
  group group;
  group.serve(1);
  const auto wait_twice = [] {
    EXPECT_EQ(umcg_wake(umcg_get_utid(), false), 0);
    EXPECT_EQ(umcg_wait(0), 0);
    EXPECT_FAILS(umcg_wait(after(milliseconds(1))), ETIMEDOUT);
  };
  basic(wait_twice).join();
  server(group, wait_twice).join();
  worker(group, wait_twice).join();
}

TEST(library, T33_TwoWakesOfARunningTaskAreOne) {
  group group;
  group.serve(1);
  const auto wait_thrice = [] {
    for (int wakes = 0; wakes < 5; ++wakes) EXPECT_EQ(umcg_wake(umcg_get_utid(), false), 0);
    EXPECT_EQ(umcg_wait(0), 0);
    EXPECT_FAILS(umcg_wait(after(milliseconds(1))), ETIMEDOUT);
  };
  basic(wait_thrice).join();
  server(group, wait_thrice).join();
  worker(group, wait_thrice).join();
}

TEST(library, T34_AWakeOfAListedOrBlockedWorkerIsKept) {
  group group;
  std::atomic<bool> blocks{true};
  worker one(group, [&] {
    EXPECT_EQ(umcg_wait(0), 0);
    umcg_block_begin();
    while (blocks.load()) pause();
    umcg_block_end();
    EXPECT_EQ(umcg_wait(0), 0);
    EXPECT_FAILS(umcg_wait(after(milliseconds(1))), ETIMEDOUT);
  });
  EXPECT_TRUE(eventually([&] { return is_listed(one.id()); }));
  EXPECT_EQ(umcg_wake(one.id(), false), 0);
  EXPECT_EQ(umcg_wake(one.id(), false), 0);
  const registration self(umcg_register_server(group, 0));
  EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), one.id());
  EXPECT_EQ(state_of(one.id()), std::uint64_t{UMCG_TASK_BLOCKED});
  EXPECT_EQ(umcg_wake(one.id(), false), 0);
  blocks.store(false);
  run_until_gone(one);
}

TEST(library, T35_AWakeReachesAParkedServer) {
  group group;
  group.serve(2);
  worker one(group, [] { EXPECT_EQ(umcg_wait(0), 0); });
  EXPECT_TRUE(eventually([&] { return waits(one.id()); }));
  let_pass(milliseconds(10));
  EXPECT_EQ(umcg_wake(one.id(), false), 0);
  one.join();
}

// One server is busy with the worker that wakes; the other one has to come.
TEST(library, T35_AWakeFromInsideReachesAParkedServer) {
  group group;
  group.serve(2);
  worker one(group, [] { EXPECT_EQ(umcg_wait(0), 0); });
  EXPECT_TRUE(eventually([&] { return waits(one.id()); }));
  let_pass(milliseconds(10));
  worker busy(group, [&one] {
    EXPECT_EQ(umcg_wake(one.id(), false), 0);
    while (!one.has_ended()) pause();
  });
}

TEST(library, T36_APlainThreadMayWake) {
  std::atomic<bool> woken{false};
  basic one([&] {
    EXPECT_EQ(umcg_wait(0), 0);
    woken.store(true);
  });
  EXPECT_TRUE(eventually([&] { return waits(one.id()); }));
  EXPECT_EQ(umcg_get_task_state(umcg_get_utid()), std::uint64_t{UMCG_TASK_NONE});
  EXPECT_EQ(umcg_wake(one.id(), true), 0);
  one.join();
  EXPECT_TRUE(woken.load());
}

TEST(library, T37_AWakeOfAServerLeavesItsWorkerAlone) {
  group group;
  std::atomic<bool> stop{false};
  worker one(group, [&] {
    while (!stop.load()) pause();
  });
  std::atomic<bool> returned{false};
  server serving(group, [&] {
    umcg_run_worker(umcg_get_idle_worker(true));
    returned.store(true);
    EXPECT_EQ(umcg_wait(0), 0);
    EXPECT_FAILS(umcg_wait(after(milliseconds(1))), ETIMEDOUT);
  });
  EXPECT_TRUE(
      eventually([&] { return has_flags(serving.id(), UMCG_TASK_IDLE | UMCG_TF_HAS_WORKER); }));
  EXPECT_EQ(umcg_wake(serving.id(), false), 0);
  let_pass(milliseconds(5));
  EXPECT_FALSE(returned.load());
  EXPECT_EQ(state_of(one.id()), std::uint64_t{UMCG_TASK_RUNNING});
  stop.store(true);
}

}  // namespace
}  // namespace contract
