// SPDX-License-Identifier: MIT
// T1 to T13, T15 to T17 and T24: what libumcg needs of the kernel half under it, seen through the C
// API.
#include <array>
#include <cerrno>
#include <utility>

#include "contract/harness.hpp"
#include "contract/settings.hpp"
#include "libumcg/task_state.hpp"

namespace contract {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(kernel_half, T01_RegisteringWrongly) {
  EXPECT_NONE(umcg_register_worker(UMCG_NONE, 0), EINVAL);
  EXPECT_NONE(umcg_register_server(UMCG_NONE, 0), EINVAL);
  EXPECT_NONE(umcg_create_group(0x2), EINVAL);
  EXPECT_EQ(umcg_get_task_state(umcg_get_utid()), std::uint64_t{UMCG_TASK_NONE});
  group group;
  const registration self(umcg_register_basic_task(0));
  EXPECT_NONE(umcg_register_basic_task(0), EINVAL);
  EXPECT_NONE(umcg_register_server(group, 0), EINVAL);
  EXPECT_NONE(umcg_register_worker(group, 0), EINVAL);
  EXPECT_EQ(state_of(self.id()), std::uint64_t{UMCG_TASK_RUNNING});
}

TEST(kernel_half, T02_UnregisteringWhoIsNotRegistered) {
  EXPECT_FAILS(umcg_unregister_task(), EINVAL);
  EXPECT_NE(umcg_register_basic_task(0), UMCG_NONE);
  EXPECT_EQ(umcg_unregister_task(), 0);
  EXPECT_FAILS(umcg_unregister_task(), EINVAL);
}

TEST(kernel_half, T03_AServerRunsAtOnce) {
  group group;
  const registration self(umcg_register_server(group, 0));
  EXPECT_EQ(state_of(self.id()), std::uint64_t{UMCG_TASK_RUNNING});
}

TEST(kernel_half, T04_AWorkerIsListedUntilItIsRun) {
  group group;
  std::atomic<bool> ran{false};
  std::atomic<umcg_tid> taken{UMCG_NONE};
  std::atomic<bool> goes_on{false};
  server sleeping(group, [&] {
    taken.store(umcg_get_idle_worker(true));  // sleeps: there is no worker yet
    while (!goes_on.load()) pause();
    umcg_run_worker(taken.load());
  });
  let_pass(milliseconds(10));
  worker one(group, [&] { ran.store(true); });
  EXPECT_TRUE(eventually([&] { return taken.load() == one.id(); }));
  EXPECT_TRUE(has_flags(one.id(), UMCG_TASK_IDLE | UMCG_TF_HELD));
  worker two(group, [] {});
  EXPECT_TRUE(eventually([&] { return is_listed(two.id()); }));
  EXPECT_FALSE(ran.load());
  goes_on.store(true);
  one.join();
  EXPECT_TRUE(ran.load());
  sleeping.join();
  const registration self(umcg_register_server(group, 0));
  run_until_gone(two);
}

TEST(kernel_half, T05_AWaitWithItsWakeThereReturnsAtOnce) {
  group group;
  group.serve(1);
  worker one(group, [] {
    EXPECT_EQ(umcg_wake(umcg_get_utid(), false), 0);
    EXPECT_EQ(umcg_wait(0), 0);
  });
  one.join();
}

TEST(kernel_half, T06_AWakeBeforeTheWaitIsNotLost) {
  std::atomic<bool> woken{false};
  basic one([&] {
    while (!woken.load()) pause();
    EXPECT_EQ(umcg_wait(0), 0);
  });
  EXPECT_TRUE(eventually([&] { return state_of(one.id()) == UMCG_TASK_RUNNING; }));
  EXPECT_EQ(umcg_wake(one.id(), false), 0);
  EXPECT_TRUE(has_flags(one.id(), UMCG_TF_WAKE_QUEUED));
  woken.store(true);
}

// One produces and wakes, one consumes until there is nothing and waits. A lost wake never ends.
void storm(int items,
           const std::function<void(std::function<void()>, std::atomic<umcg_tid>&)>& on) {
  std::atomic<int> produced{0};
  std::atomic<umcg_tid> consumer{UMCG_NONE};
  int waits = 0;
  thread producer([&] {
    while (consumer.load() == UMCG_NONE) pause();
    for (int item = 0; item < items; ++item) {
      produced.fetch_add(1);
      EXPECT_EQ(umcg_wake(consumer.load(), item % 2 == 0), 0);
      if (random(4) == 0) pause();
    }
    // The consumer may be gone from here on.
  });
  on(
      [&] {
        for (int consumed = 0; consumed < items;) {
          const int there = produced.load();
          if (consumed < there) {
            consumed = there;
            continue;
          }
          EXPECT_EQ(umcg_wait(0), 0);
          ++waits;
        }
        // The last wake may still be on its way to this task.
        producer.join();
      },
      consumer);
  EXPECT_LE(waits, items);
}

TEST(kernel_half, T07_AStormOfWakesLosesNone) {
  storm(rounds(100'000), [](auto consume, std::atomic<umcg_tid>& id) {
    const registration self(umcg_register_basic_task(0));
    id.store(self.id());
    consume();
  });
  group group;
  group.serve(2);
  storm(rounds(100'000), [&group](auto consume, std::atomic<umcg_tid>& id) {
    worker one(group, [&] {
      id.store(umcg_get_utid());
      consume();
    });
    one.join();
  });
}

TEST(kernel_half, T08_WakingNobody) {
  umcg_tid plain = UMCG_NONE;
  thread([&plain] { plain = umcg_get_utid(); }).join();
  const umcg_tid ended = [] {
    basic one([] {});
    one.join();
    return one.id();
  }();
  for (const umcg_tid nobody : {plain, ended, umcg_get_utid(), umcg_tid{-5}, umcg_tid{1} << 60}) {
    EXPECT_FAILS(umcg_wake(nobody, false), ESRCH);
  }
  const registration self(umcg_register_basic_task(0));
  EXPECT_FAILS(umcg_wake(ended, false), ESRCH);
  EXPECT_FAILS(umcg_swap(ended, 0), ESRCH);
  EXPECT_EQ(state_of(self.id()), std::uint64_t{UMCG_TASK_RUNNING});
}

TEST(kernel_half, T09_WakingNone) {
  EXPECT_FAILS(umcg_wake(UMCG_NONE, false), EINVAL);
  EXPECT_FAILS(umcg_wake(UMCG_NONE, true), EINVAL);
}

TEST(kernel_half, T10_SwappingToTheDead) {
  group group;
  umcg_tid dead = UMCG_NONE;
  {
    const registration self(umcg_register_server(group, 0));
    worker one(group, [] {});
    dead = one.id();
    run_until_gone(one);
    one.join();
    worker two(group, [&] {
      EXPECT_FAILS(umcg_swap(dead, 0), ESRCH);
      EXPECT_EQ(state_of(umcg_get_utid()), std::uint64_t{UMCG_TASK_RUNNING});
      EXPECT_FAILS(umcg_swap(dead, after(milliseconds(1))), ESRCH);
    });
    run_until_gone(two);
  }
  const registration self(umcg_register_basic_task(0));
  EXPECT_FAILS(umcg_swap(dead, 0), ESRCH);
}

TEST(kernel_half, T11_AServersDeadlineIsNeverEarly) {
  group group;
  const registration self(umcg_register_server(group, 0));
  for (const nanoseconds wait : {nanoseconds(-1), nanoseconds(0), nanoseconds(1),
                                 nanoseconds(microseconds(50)), nanoseconds(milliseconds(20))}) {
    const std::uint64_t end = after(wait);
    EXPECT_FAILS(umcg_wait(end), ETIMEDOUT);
    EXPECT_GE(umcg_get_time_ns(), end);
    const std::uint64_t next = after(wait);
    EXPECT_NONE(umcg_get_idle_worker_until(next), ETIMEDOUT);
    EXPECT_GE(umcg_get_time_ns(), next);
  }
  EXPECT_FAILS(umcg_wait(1), ETIMEDOUT);  // long past
  for (const std::uint64_t far : {std::uint64_t{0}, UINT64_MAX, after(std::chrono::hours(1000))}) {
    thread waker([id = self.id()] {
      let_pass(milliseconds(2));
      EXPECT_EQ(umcg_wake(id, false), 0);
    });
    EXPECT_EQ(umcg_wait(far), 0);
  }
}

// Each round one wake and one deadline come at about the same time. What a wait reports must add up
// with what the waker did.
void race_wake_with_deadline(std::atomic<umcg_tid>& id, int total, std::atomic<int>& sent,
                             std::atomic<int>& asked) {
  id.store(umcg_get_utid());
  for (int round = 0; round < total; ++round) {
    asked.store(round + 1);
    const int result = umcg_wait(after(microseconds(random(60))));
    if (result != 0) {
      EXPECT_EQ(errno, ETIMEDOUT);
      // The wake of this round has come too late, but it has not gone: it ends the next wait.
      EXPECT_EQ(umcg_wait(0), 0);
    }
    EXPECT_EQ(sent.load(), round + 1);
  }
}

void wake_against_deadline(const std::function<void(std::function<void()>)>& run_as_task) {
  const int total = rounds(10'000);
  std::atomic<umcg_tid> id{UMCG_NONE};
  std::atomic<int> asked{0};
  std::atomic<int> sent{0};
  thread waker([&] {
    for (int round = 0; round < total; ++round) {
      while (asked.load() <= round) pause();
      spin(random(2000));
      sent.store(round + 1);
      EXPECT_EQ(umcg_wake(id.load(), false), 0);
    }
  });
  run_as_task([&] {
    race_wake_with_deadline(id, total, sent, asked);
    waker.join();
  });
}

TEST(kernel_half, T12_AWakeBeatsADeadline) {
  wake_against_deadline([](auto body) {
    const registration self(umcg_register_basic_task(0));
    body();
  });
  group group;
  group.serve(2);
  wake_against_deadline([&group](auto body) { worker(group, body).join(); });
}

TEST(kernel_half, T13_AWorkersDeadlineListsIt) {
  group group;
  std::atomic<bool> over{false};
  worker one(group, [&] {
    const std::uint64_t end = after(milliseconds(5));
    EXPECT_FAILS(umcg_wait(end), ETIMEDOUT);
    EXPECT_GE(umcg_get_time_ns(), end);
    over.store(true);
  });
  const registration self(umcg_register_server(group, 0));
  EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), one.id());
  // The server sleeps, without a deadline of its own; the worker's ends its sleep.
  EXPECT_EQ(umcg_get_idle_worker(true), one.id());
  EXPECT_TRUE(has_flags(one.id(), UMCG_TF_HELD | UMCG_TF_TIMED_OUT));
  EXPECT_FALSE(has_flags(one.id(), UMCG_TF_WOKEN));
  EXPECT_FALSE(over.load());
  EXPECT_EQ(umcg_run_worker(one.id()), UMCG_NONE);
  EXPECT_TRUE(over.load());
}

// Three servers sleep, and only the two that parked last know of the deadline. These are summoned,
// and then they have no time for deadlines.
TEST(kernel_half, T13_ASummonedServerHandsTheDeadlineOn) {
  group group;
  group.serve(3);
  let_pass(milliseconds(10));
  std::atomic<bool> over{false};
  worker one(group, [&] {
    EXPECT_FAILS(umcg_wait(after(milliseconds(40))), ETIMEDOUT);
    over.store(true);
  });
  EXPECT_TRUE(eventually([&] { return waits(one.id()); }));
  const auto be_busy = [&over] {
    while (!over.load()) pause();
  };
  let_pass(milliseconds(5));
  worker first_busy(group, be_busy);
  let_pass(milliseconds(5));
  worker second_busy(group, be_busy);
}

// The server that parked first sleeps until the deadline, but not as long as that and leaves; the
// other one sleeps without a deadline of its own.
TEST(kernel_half, T13_AServerThatLeavesHandsTheDeadlineOn) {
  group group;
  const std::uint64_t leaves_at = after(milliseconds(20));
  server leaver(group, [leaves_at] {
    for (;;) {
      const umcg_tid idle = umcg_get_idle_worker_until(leaves_at);
      if (idle == UMCG_NONE) break;
      umcg_run_worker(idle);
    }
    EXPECT_EQ(errno, ETIMEDOUT);
    EXPECT_EQ(umcg_wait(0), 0);
  });
  let_pass(milliseconds(5));
  group.serve(1);
  let_pass(milliseconds(5));
  worker one(group, [leaves_at] { EXPECT_FAILS(umcg_wait(leaves_at + 20'000'000), ETIMEDOUT); });
  one.join();
  EXPECT_EQ(umcg_wake(leaver.id(), false), 0);
}

// A server sleeps without a deadline; another one's worker brings one and the next worker keeps it.
TEST(kernel_half, T13_ASleepingServerLearnsOfADeadline) {
  group group;
  std::atomic<bool> over{false};
  worker one(group, [&] {
    EXPECT_FAILS(umcg_wait(after(milliseconds(5))), ETIMEDOUT);
    over.store(true);
  });
  worker busy(group, [&] {
    while (!over.load()) pause();
  });
  const registration self(umcg_register_server(group, 0));
  std::array<umcg_tid, 2> held{umcg_get_idle_worker(true), umcg_get_idle_worker(true)};
  if (held[0] != one.id()) std::swap(held[0], held[1]);
  group.serve(1);
  let_pass(milliseconds(10));
  EXPECT_EQ(umcg_run_worker(held[0]), one.id());
  EXPECT_EQ(umcg_run_worker(held[1]), UMCG_NONE);
  group.stop();
}

TEST(kernel_half, T15_ABlockedWorkerGivesItsServerBack) {
  group group;
  std::atomic<bool> blocks{true};
  worker one(group, [&] {
    errno = 7;
    umcg_block_begin();
    umcg_block_begin();
    while (blocks.load()) pause();
    umcg_block_end();
    EXPECT_EQ(state_of(umcg_get_utid()), std::uint64_t{UMCG_TASK_BLOCKED});
    EXPECT_FAILS(umcg_wait(0), EBUSY);
    errno = 7;
    umcg_block_end();
    EXPECT_EQ(errno, 7);
  });
  const registration self(umcg_register_server(group, 0));
  umcg_stop why = UMCG_STOP_NONE;
  EXPECT_EQ(umcg_run_worker_why(umcg_get_idle_worker(true), &why), one.id());
  EXPECT_EQ(why, UMCG_STOP_BLOCKED);
  EXPECT_EQ(state_of(one.id()), std::uint64_t{UMCG_TASK_BLOCKED});
  EXPECT_NONE(umcg_get_idle_worker(false), 0);
  EXPECT_NONE(umcg_run_worker(one.id()), EBUSY);
  blocks.store(false);
  EXPECT_EQ(umcg_get_idle_worker(true), one.id());
  EXPECT_EQ(umcg_run_worker_why(one.id(), &why), UMCG_NONE);
  EXPECT_EQ(why, UMCG_STOP_UNREGISTERED);
}

TEST(kernel_half, T16_UnblockingBeforeTheServerKnowsHasOneOwner) {
  group group;
  group.serve(3);
  std::array<std::atomic<int>, 4> inside{};
  std::vector<std::unique_ptr<worker>> workers;
  for (auto& mine : inside) {
    workers.push_back(std::make_unique<worker>(group, [&mine] {
      for (int left = rounds(3'000); left > 0; --left) {
        umcg_block_begin();
        if (random(8) == 0) pause();
        umcg_block_end();
        EXPECT_EQ(mine.fetch_add(1), 0);
        mine.fetch_sub(1);
      }
    }));
  }
  for (auto& each : workers) each->join();
}

TEST(kernel_half, T17_TheNextBlockIsSeenAsWell) {
  group group;
  worker one(group, [] {
    for (int round = 0; round < 3; ++round) {
      umcg_block_begin();
      umcg_block_end();
    }
    umcg_block_end();  // one too many: no effect
    umcg_block_begin();
    // Ends inside: the thread comes back first.
  });
  const registration self(umcg_register_server(group, 0));
  for (int round = 0; round < 4; ++round) {
    umcg_stop why = UMCG_STOP_NONE;
    EXPECT_EQ(umcg_run_worker_why(umcg_get_idle_worker(true), &why), one.id());
    EXPECT_EQ(why, UMCG_STOP_BLOCKED);
  }
  run_until_gone(one);
}

TEST(kernel_half, T24_NoStateWordComesTwice) {
  umcg::libumcg::task_state state;
  state.begin(umcg::libumcg::task_state::listed);
  std::uint64_t before = state.stamp();
  for (int update = 0; update < 1 << 18; ++update) {
    EXPECT_TRUE(state.hold());
    EXPECT_TRUE(state.run_held());
    state.yield();
    EXPECT_EQ(state.stamp(), before + 3);
    before = state.stamp();
  }
}

}  // namespace
}  // namespace contract
