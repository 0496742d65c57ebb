// SPDX-License-Identifier: MIT
// T44 to T57: how servers find idle workers and run them.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "contract/harness.hpp"
#include "contract/settings.hpp"

namespace contract {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(serving, T44_NothingIdleIsNotAnError) {
  group group;
  EXPECT_NONE(umcg_get_idle_worker(false), EINVAL);
  const registration self(umcg_register_server(group, 0));
  EXPECT_NONE(umcg_get_idle_worker(false), 0);
  EXPECT_NONE(umcg_get_idle_worker_until(after(milliseconds(1))), ETIMEDOUT);
}

TEST(serving, T45_TwoWakesWithAPauseWakeTwoServers) {
  group group;
  std::atomic<int> running{0};
  const auto serve = [] { umcg_run_worker(umcg_get_idle_worker(true)); };
  server first(group, serve);
  server second(group, serve);
  let_pass(milliseconds(10));
  const auto work = [&] {
    running.fetch_add(1);
    // Ends only when both run at once.
    while (running.load() < 2) pause();
  };
  worker one(group, work);
  let_pass(milliseconds(10));
  worker two(group, work);
  EXPECT_TRUE(eventually([&] { return running.load() == 2; }));
}

// Workers sleep and wake each other at random. Servers sleep without deadlines: a worker that is
// listed beside sleeping servers and summons none of them stays where it is.
TEST(serving, T46_NoWorkerWaitsBesideASleepingServer) {
  group group;
  std::array<std::atomic<umcg_tid>, 4> ids{};
  std::atomic<int> left{4};
  std::vector<std::unique_ptr<worker>> workers;
  for (std::size_t at = 0; at < ids.size(); ++at) {
    workers.push_back(std::make_unique<worker>(group, [&, at] {
      ids[at].store(umcg_get_utid());
      for (int round = rounds(3'000); round > 0; --round) {
        const umcg_tid other = ids[random(4)].load();
        if (other != UMCG_NONE) umcg_wake(other, false);
        // The last one that is awake must not sleep for ever.
        umcg_wait(after(microseconds(200 + random(300))));
      }
      left.fetch_sub(1);
    }));
  }
  group.serve(4);
  EXPECT_TRUE(eventually([&] { return left.load() == 0; })) << "a worker was forgotten";
}

TEST(serving, T47_ALateSummonsDisturbsNobody) {
  // Servers look without sleeping and with; workers come from outside at the same time.
  group group;
  std::atomic<bool> stop{false};
  std::vector<std::unique_ptr<server>> servers;
  for (int at = 0; at < 2; ++at) {
    servers.push_back(std::make_unique<server>(group, [&] {
      while (!stop.load()) {
        const umcg_tid idle = random(2) == 0 ? umcg_get_idle_worker(false)
                                             : umcg_get_idle_worker_until(after(microseconds(20)));
        if (idle == UMCG_NONE) continue;
        umcg_stop why = UMCG_STOP_NONE;
        umcg_run_worker_why(idle, &why);
        // It came back because its worker stopped and for no other reason.
        EXPECT_NE(why, UMCG_STOP_NONE);
      }
    }));
  }
  worker one(group, [] {
    for (int round = rounds(5'000); round > 0; --round) EXPECT_EQ(umcg_wait(0), 0);
  });
  thread waker([&] {
    while (!one.has_ended()) {
      umcg_wake(one.id(), false);
      if (random(3) == 0) pause();
    }
  });
  one.join();
  waker.join();
  stop.store(true);
}

TEST(serving, T48_FirstInFirstOut) {
  group group;
  constexpr int count = 100;
  std::vector<std::unique_ptr<worker>> workers;
  const registration self(umcg_register_server(group, 0));
  for (int at = 0; at < count; ++at) {
    workers.push_back(std::make_unique<worker>(
        group, [] { EXPECT_EQ(umcg_wait(0), 0); }, at));
    EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), workers.back()->id());
  }
  thread([&workers] {
    for (const auto& each : workers) EXPECT_EQ(umcg_wake(each->id(), false), 0);
  });
  for (int at = 0; at < count; ++at) {
    const umcg_tid idle = umcg_get_idle_worker(true);
    EXPECT_EQ(umcg_get_task_tag(idle), at);
    umcg_run_worker(idle);
  }
}

TEST(serving, T49_RunningWhoCannotBeRun) {
  group group;
  contract::group other;
  worker listed(group, [] { EXPECT_EQ(umcg_wait(0), 0); });
  worker foreign(other, [] {});
  EXPECT_TRUE(eventually([&] { return is_listed(listed.id()) && is_listed(foreign.id()); }));
  EXPECT_NONE(umcg_run_worker(listed.id()), EINVAL);  // not a server
  {
    const registration self(umcg_register_server(group, 0));
    EXPECT_NONE(umcg_run_worker(UMCG_NONE), EINVAL);
    EXPECT_NONE(umcg_run_worker(self.id()), EINVAL);
    EXPECT_NONE(umcg_run_worker(listed.id()), EBUSY);
    EXPECT_NONE(umcg_run_worker(foreign.id()), EINVAL);
    basic no_worker([] { EXPECT_EQ(umcg_wait(0), 0); });
    EXPECT_TRUE(eventually([&] { return waits(no_worker.id()); }));
    EXPECT_NONE(umcg_run_worker(no_worker.id()), EINVAL);
    EXPECT_EQ(umcg_wake(no_worker.id(), false), 0);
    EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), listed.id());
    EXPECT_EQ(umcg_run_worker(listed.id()), UMCG_NONE);  // that was its wake
  }
  const registration self(umcg_register_server(other, 0));
  run_until_gone(foreign);
}

TEST(serving, T50_EveryReasonIsReported) {
  group group(is_simulated() ? 0 : UMCG_GROUP_ENABLE_PREEMPTION);
  std::atomic<bool> stop{false};
  worker one(group, [&] {
    EXPECT_EQ(umcg_wait(0), 0);
    umcg_block_begin();
    umcg_block_end();
    while (!stop.load() && !is_simulated()) pause();
  });
  const registration self(umcg_register_server(group, 0));
  const auto run = [](umcg_tid idle) {
    umcg_stop why = UMCG_STOP_NONE;
    umcg_run_worker_why(idle, &why);
    return why;
  };
  EXPECT_EQ(run(umcg_get_idle_worker(true)), UMCG_STOP_WAITED);
  EXPECT_EQ(run(one.id()), UMCG_STOP_BLOCKED);
  EXPECT_EQ(umcg_get_idle_worker(true), one.id());
  if (!is_simulated()) {
    thread preempter(
        [&] { EXPECT_TRUE(eventually([&] { return umcg_preempt_worker(one.id()) == 0; })); });
    EXPECT_EQ(run(one.id()), UMCG_STOP_PREEMPTED);
    preempter.join();
    stop.store(true);
    EXPECT_EQ(umcg_get_idle_worker(true), one.id());
  }
  EXPECT_EQ(run(one.id()), UMCG_STOP_UNREGISTERED);
}

TEST(serving, T50_ASwapToWhoCannotRunIsReported) {
  group group;
  std::atomic<bool> blocks{true};
  worker blocked(group, [&] {
    umcg_block_begin();
    while (blocks.load()) pause();
    umcg_block_end();
    EXPECT_EQ(umcg_wait(0), 0);  // the swap was a wake
  });
  const registration self(umcg_register_server(group, 0));
  EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), blocked.id());
  worker one(group, [&] { EXPECT_EQ(umcg_swap(blocked.id(), 0), 0); });
  umcg_stop why = UMCG_STOP_NONE;
  EXPECT_EQ(umcg_run_worker_why(umcg_get_idle_worker(true), &why), one.id());
  EXPECT_EQ(why, UMCG_STOP_SWAPPED);
  EXPECT_TRUE(waits(one.id()));
  blocks.store(false);
  run_until_gone(blocked);
  EXPECT_EQ(umcg_wake(one.id(), false), 0);
  EXPECT_TRUE(has_flags(one.id(), UMCG_TF_WOKEN | UMCG_TF_LISTED));
  run_until_gone(one);
}

TEST(serving, T51_AServerWithAQueuedWakeServes) {
  group group;
  const registration self(umcg_register_server(group, 0));
  EXPECT_EQ(umcg_wake(self.id(), false), 0);
  worker one(group, [] {});
  const umcg_tid idle = umcg_get_idle_worker(true);
  EXPECT_EQ(idle, one.id());
  EXPECT_EQ(umcg_run_worker(idle), UMCG_NONE);
  EXPECT_TRUE(has_flags(self.id(), UMCG_TF_WAKE_QUEUED));
  EXPECT_EQ(umcg_wait(0), 0);
}

TEST(serving, T52_PreemptingWhoCannotBe) {
  group without;
  group with(UMCG_GROUP_ENABLE_PREEMPTION);
  EXPECT_FAILS(umcg_preempt_worker(UMCG_NONE), EINVAL);
  EXPECT_FAILS(umcg_preempt_worker(umcg_get_utid()), ESRCH);
  basic no_worker([] { EXPECT_EQ(umcg_wait(0), 0); });
  EXPECT_TRUE(eventually([&] { return waits(no_worker.id()); }));
  EXPECT_FAILS(umcg_preempt_worker(no_worker.id()), EINVAL);
  EXPECT_EQ(umcg_wake(no_worker.id(), false), 0);
  worker one(without, [] { EXPECT_FAILS(umcg_preempt_worker(umcg_get_utid()), ENOTSUP); });
  {
    const registration self(umcg_register_server(without, 0));
    run_until_gone(one);
  }
  worker two(with, [] {});
  EXPECT_TRUE(eventually([&] { return is_listed(two.id()); }));
  EXPECT_FAILS(umcg_preempt_worker(two.id()), EAGAIN);
  const registration self(umcg_register_server(with, 0));
  run_until_gone(two);
}

TEST(serving, T53_PreemptingWithAQueuedWake) {
  if (is_simulated()) GTEST_SKIP() << "a simulation has no signals and no processes";
  group group(UMCG_GROUP_ENABLE_PREEMPTION);
  worker one(group, [] {
    EXPECT_EQ(umcg_wake(umcg_get_utid(), false), 0);
    EXPECT_EQ(umcg_preempt_worker(umcg_get_utid()), 0);
    EXPECT_EQ(umcg_wait(0), 0);
  });
  const registration self(umcg_register_server(group, 0));
  umcg_stop why = UMCG_STOP_NONE;
  EXPECT_EQ(umcg_run_worker_why(umcg_get_idle_worker(true), &why), one.id());
  EXPECT_EQ(why, UMCG_STOP_PREEMPTED);
  run_until_gone(one);
}

TEST(serving, T54_AnUnregisteredWorkerLeavesItsServer) {
  group group;
  std::atomic<bool> outside{false};
  thread plain_again([&] {
    EXPECT_NE(umcg_register_worker(group, 0), UMCG_NONE);
    EXPECT_EQ(umcg_unregister_task(), 0);
    outside.store(true);
    EXPECT_EQ(umcg_get_task_state(umcg_get_utid()), std::uint64_t{UMCG_TASK_NONE});
  });
  const registration self(umcg_register_server(group, 0));
  errno = 1;
  EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), UMCG_NONE);
  EXPECT_EQ(errno, 0);
  EXPECT_TRUE(eventually([&] { return outside.load(); }));
}

TEST(serving, T55_ComingAndGoing) {
  group group;
  group.serve(2);
  constexpr int threads = 4;
  std::vector<std::unique_ptr<thread>> churning;
  std::atomic<int> runs{0};
  const int each = rounds(1'000);
  for (int at = 0; at < threads; ++at) {
    churning.push_back(std::make_unique<thread>([&, each] {
      for (int round = 0; round < each; ++round) {
        EXPECT_NE(umcg_register_worker(group, round), UMCG_NONE);
        runs.fetch_add(1);
        if (random(4) == 0) umcg_wait(after(microseconds(random(20))));
        EXPECT_EQ(umcg_unregister_task(), 0);
      }
    }));
  }
  churning.clear();
  EXPECT_EQ(runs.load(), threads * each);
}

std::chrono::microseconds cpu_time() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& time) {
    return seconds(time.tv_sec) + microseconds(time.tv_usec);
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

TEST(serving, T56_EverythingAsleepUsesNoCpu) {
  if (is_simulated()) GTEST_SKIP() << "a simulation has no time to use";
  group group;
  std::vector<std::unique_ptr<worker>> workers;
  for (int at = 0; at < 20; ++at) {
    workers.push_back(std::make_unique<worker>(group, [] { EXPECT_EQ(umcg_wait(0), 0); }));
  }
  group.serve(2);
  EXPECT_TRUE(eventually([&] {
    return std::ranges::all_of(workers, [](const auto& each) { return waits(each->id()); });
  }));
  let_pass(milliseconds(20));
  const auto before = cpu_time();
  let_pass(settings().times > 1 ? seconds(10) : seconds(1));
  const auto used = cpu_time() - before;
  EXPECT_LT(used, milliseconds(10));
  for (auto& each : workers) EXPECT_EQ(umcg_wake(each->id(), false), 0);
}

TEST(serving, T57_MoreServersThanCpus) {
  group group;
  constexpr int servers = 24;
  std::vector<std::unique_ptr<worker>> workers;
  std::array<std::atomic<umcg_tid>, servers> ids{};
  std::atomic<int> left{servers};
  for (std::size_t at = 0; at < ids.size(); ++at) {
    workers.push_back(std::make_unique<worker>(group, [&, at] {
      ids[at].store(umcg_get_utid());
      for (int round = rounds(500); round > 0; --round) {
        const umcg_tid next = ids[(at + 1) % ids.size()].load();
        if (next != UMCG_NONE) umcg_wake(next, false);
        umcg_wait(after(milliseconds(1)));
      }
      left.fetch_sub(1);
    }));
  }
  group.serve(servers);
  EXPECT_TRUE(eventually([&] { return left.load() == 0; }));
}

}  // namespace
}  // namespace contract
