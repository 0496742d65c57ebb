// SPDX-License-Identifier: MIT
// The C API over the kernel half of this machine: what each call promises, used the way a program
// uses it.
#include "umcg/libumcg.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "sanitizer.hpp"

namespace {

using std::chrono::milliseconds;

std::uint64_t after(milliseconds duration) {
  return umcg_get_time_ns() +
         static_cast<std::uint64_t>(std::chrono::nanoseconds(duration).count());
}

// A server thread that runs whatever is idle until every worker of the test has ended.
class serving_thread {
 public:
  serving_thread(umcg_t group, const std::atomic<int>& workers_left)
      : thread_([group, &workers_left] {
          ASSERT_NE(umcg_register_server(group, 0), UMCG_NONE);
          while (workers_left.load() > 0) {
            const umcg_tid worker = umcg_get_idle_worker_until(after(milliseconds(20)));
            if (worker != UMCG_NONE) umcg_run_worker(worker);
          }
          EXPECT_EQ(umcg_unregister_task(), 0);
        }) {}
  ~serving_thread() { thread_.join(); }

 private:
  std::thread thread_;
};

class contract : public testing::Test {
 protected:
  contract() {
    EXPECT_TRUE(umcg_enabled()) << umcg_kernel_half();
    group_ = umcg_create_group(0);
    EXPECT_NE(group_, umcg_t{UMCG_NONE});
  }
  ~contract() override { EXPECT_EQ(umcg_destroy_group(group_), 0) << errno; }

  umcg_t group() const { return group_; }

  // Runs `body` on a registered worker each, under `servers` servers, until all have ended.
  template <class Body>
  void run_workers(int workers, int servers, Body body) {
    std::atomic<int> left{workers};
    std::vector<std::thread> threads;
    for (int number = 0; number < workers; ++number) {
      threads.emplace_back([this, &left, &body, number] {
        EXPECT_NE(umcg_register_worker(group_, number), UMCG_NONE);
        body(number);
        EXPECT_EQ(umcg_unregister_task(), 0);
        left.fetch_sub(1);
      });
    }
    {
      std::vector<std::unique_ptr<serving_thread>> running;
      for (int at = 0; at < servers; ++at) {
        running.push_back(std::make_unique<serving_thread>(group_, left));
      }
    }
    for (std::thread& thread : threads) thread.join();
  }

 private:
  umcg_t group_;
};

TEST_F(contract, UtidIsStableWithoutRegistration) {
  const umcg_tid mine = umcg_get_utid();
  EXPECT_NE(mine, UMCG_NONE);
  EXPECT_EQ(umcg_get_utid(), mine);
  EXPECT_EQ(umcg_get_task_state(mine), std::uint64_t{UMCG_TASK_NONE});
  umcg_tid other = UMCG_NONE;
  std::thread([&other] { other = umcg_get_utid(); }).join();
  EXPECT_NE(other, mine);
  EXPECT_EQ(umcg_get_task_tag(other), 0);
  errno = 0;
  EXPECT_EQ(umcg_wake(other, false), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(contract, BadArgumentsAreErrors) {
  EXPECT_EQ(umcg_create_group(0x80), umcg_t{UMCG_NONE});
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(umcg_destroy_group(UMCG_NONE), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(umcg_unregister_task(), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(umcg_wait(0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(umcg_register_worker(UMCG_NONE, 0), UMCG_NONE);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(umcg_get_idle_worker(false), UMCG_NONE);
  EXPECT_EQ(errno, EINVAL);
  ASSERT_NE(umcg_register_basic_task(7), UMCG_NONE);
  EXPECT_EQ(umcg_register_basic_task(7), UMCG_NONE);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(umcg_get_task_tag(umcg_get_utid()), 7);
  EXPECT_EQ(umcg_run_worker(umcg_get_utid()), UMCG_NONE);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(umcg_swap(umcg_get_utid(), 0), 0);
  EXPECT_EQ(umcg_unregister_task(), 0);
}

TEST_F(contract, WakeIsRememberedOnce) {
  ASSERT_NE(umcg_register_basic_task(0), UMCG_NONE);
  EXPECT_EQ(umcg_wake(umcg_get_utid(), false), 0);
  EXPECT_EQ(umcg_wake(umcg_get_utid(), false), 0);
  EXPECT_EQ(umcg_wait(0), 0);
  EXPECT_EQ(umcg_wait(after(milliseconds(5))), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  EXPECT_EQ(umcg_unregister_task(), 0);
}

TEST_F(contract, DeadlineIsNeverEarly) {
  ASSERT_NE(umcg_register_basic_task(0), UMCG_NONE);
  const std::uint64_t until = after(milliseconds(10));
  EXPECT_EQ(umcg_wait(until), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  EXPECT_GE(umcg_get_time_ns(), until);
  EXPECT_EQ(umcg_unregister_task(), 0);
}

TEST_F(contract, WorkersRunUnderServers) {
  std::atomic<int> ran{0};
  run_workers(20, 2, [&ran](int number) {
    EXPECT_EQ(umcg_get_task_tag(umcg_get_utid()), number);
    EXPECT_EQ(umcg_get_task_state(umcg_get_utid()) & UMCG_TASK_STATE_MASK,
              std::uint64_t{UMCG_TASK_RUNNING});
    ran.fetch_add(1);
  });
  EXPECT_EQ(ran.load(), 20);
}

TEST_F(contract, WorkersWakeEachOther) {
  constexpr int rounds = 2000;
  constexpr int workers = 8;
  std::array<std::atomic<umcg_tid>, workers> ids{};
  std::array<std::atomic<int>, workers> turns{};
  run_workers(workers, 3, [&](int number) {
    const auto me = static_cast<std::size_t>(number);
    const std::size_t right = (me + 1) % workers;
    ids[me].store(umcg_get_utid());
    for (int round = 0; round < rounds; ++round) {
      // A token goes round: whoever has it wakes the next.
      while (number != 0 || round != 0) {
        if (turns[me].load() > 0) break;
        if (ids[me].load() != UMCG_NONE) umcg_wait(after(milliseconds(50)));
      }
      if (number != 0 || round != 0) turns[me].fetch_sub(1);
      turns[right].fetch_add(1);
      if (const umcg_tid next = ids[right].load(); next != UMCG_NONE) umcg_wake(next, false);
    }
  });
  int left = 0;
  for (const auto& turn : turns) left += turn.load();
  EXPECT_EQ(left, 1);
}

TEST_F(contract, WorkerDeadlinePassesUnderItsServer) {
  run_workers(4, 1, [](int number) {
    const std::uint64_t until = after(milliseconds(5 + number));
    EXPECT_EQ(umcg_wait(until), -1);
    EXPECT_EQ(errno, ETIMEDOUT);
    EXPECT_GE(umcg_get_time_ns(), until);
  });
}

TEST_F(contract, RunReportsWhyTheWorkerStopped) {
  std::atomic<umcg_tid> id{UMCG_NONE};
  std::thread worker([this, &id] {
    id.store(umcg_get_utid());
    EXPECT_NE(umcg_register_worker(group(), 0), UMCG_NONE);
    EXPECT_EQ(umcg_wait(0), 0);
    EXPECT_EQ(umcg_unregister_task(), 0);
  });
  ASSERT_NE(umcg_register_server(group(), 0), UMCG_NONE);
  const umcg_tid taken = umcg_get_idle_worker(true);
  EXPECT_EQ(taken, id.load());
  EXPECT_EQ(umcg_destroy_group(group()), -1);
  EXPECT_EQ(errno, EBUSY);
  umcg_stop why = UMCG_STOP_NONE;
  EXPECT_EQ(umcg_run_worker_why(taken, &why), taken);
  EXPECT_EQ(why, UMCG_STOP_WAITED);
  errno = 1;
  EXPECT_EQ(umcg_get_idle_worker(false), UMCG_NONE);
  EXPECT_EQ(errno, 0);
  EXPECT_EQ(umcg_wake(taken, false), 0);
  EXPECT_EQ(umcg_run_worker(taken), UMCG_NONE);
  EXPECT_EQ(errno, EBUSY);
  EXPECT_EQ(umcg_get_idle_worker(false), taken);
  errno = 1;
  EXPECT_EQ(umcg_run_worker_why(taken, &why), UMCG_NONE);
  EXPECT_EQ(errno, 0);
  EXPECT_EQ(why, UMCG_STOP_UNREGISTERED);
  worker.join();
  EXPECT_EQ(umcg_run_worker(taken), UMCG_NONE);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_EQ(umcg_unregister_task(), 0);
}

TEST_F(contract, ThreadThatEndsGivesItsServerBack) {
  std::thread worker([this] { EXPECT_NE(umcg_register_worker(group(), 0), UMCG_NONE); });
  ASSERT_NE(umcg_register_server(group(), 0), UMCG_NONE);
  umcg_stop why = UMCG_STOP_NONE;
  EXPECT_EQ(umcg_run_worker_why(umcg_get_idle_worker(true), &why), UMCG_NONE);
  EXPECT_EQ(why, UMCG_STOP_UNREGISTERED);
  worker.join();
  EXPECT_EQ(umcg_unregister_task(), 0);
}

TEST_F(contract, SwapHandsTheServerOver) {
  std::array<std::atomic<umcg_tid>, 2> ids{};
  std::atomic<int> log{0};
  run_workers(2, 1, [&](int number) {
    const auto me = static_cast<std::size_t>(number);
    ids[me].store(umcg_get_utid());
    if (number == 0) {
      while (ids[1].load() == UMCG_NONE) umcg_wait(after(milliseconds(1)));
      for (int round = 0; round < 1000; ++round) {
        EXPECT_EQ(log.fetch_add(1), 2 * round);
        while (umcg_swap(ids[1].load(), 0) != 0) EXPECT_EQ(errno, EBUSY);
      }
    } else {
      EXPECT_EQ(umcg_wait(0), 0);
      for (int round = 0; round < 1000; ++round) {
        EXPECT_EQ(log.fetch_add(1), 2 * round + 1);
        if (round + 1 < 1000) {
          EXPECT_EQ(umcg_swap(ids[0].load(), 0), 0);
        } else {
          EXPECT_EQ(umcg_wake(ids[0].load(), false), 0);
        }
      }
    }
  });
  EXPECT_EQ(log.load(), 2000);
}

TEST_F(contract, PreemptionNeedsTheGroupsLeave) {
  std::atomic<umcg_tid> id{UMCG_NONE};
  std::thread worker([this, &id] {
    id.store(umcg_register_worker(group(), 0));
    umcg_unregister_task();
  });
  ASSERT_NE(umcg_register_server(group(), 0), UMCG_NONE);
  const umcg_tid taken = umcg_get_idle_worker(true);
  EXPECT_EQ(umcg_preempt_worker(taken), -1);
  EXPECT_EQ(errno, ENOTSUP);
  umcg_run_worker(taken);
  worker.join();
  EXPECT_EQ(umcg_unregister_task(), 0);
}

TEST(preemption, BusyWorkersShareOneServer) {
  if (umcg::testing::thread_sanitizer) {
    GTEST_SKIP() << "ThreadSanitizer calls handlers with every signal blocked, on a carrier that "
                    "then goes on to the next worker: no second one can be preempted";
  }
  const umcg_t group = umcg_create_group(UMCG_GROUP_ENABLE_PREEMPTION);
  ASSERT_NE(group, umcg_t{UMCG_NONE});
  constexpr int workers = 3;
  std::atomic<bool> stop{false};
  std::array<std::atomic<long>, workers> turns{};
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < workers; ++number) {
    threads.emplace_back([&, number] {
      EXPECT_NE(umcg_register_worker(group, 0), UMCG_NONE);
      std::vector<std::string> garbage;
      while (!stop.load()) {
        garbage.assign(10, std::string(200 + number, 'x'));
        turns[number].fetch_add(1);
      }
      EXPECT_EQ(umcg_unregister_task(), 0);
    });
  }
  std::atomic<umcg_tid> running{UMCG_NONE};
  std::atomic<int> preempted{0};
  std::thread server([&] {
    EXPECT_NE(umcg_register_server(group, 0), UMCG_NONE);
    for (int left = workers; left > 0;) {
      const umcg_tid worker = umcg_get_idle_worker(true);
      running.store(worker);
      umcg_stop why = UMCG_STOP_NONE;
      umcg_run_worker_why(worker, &why);
      if (why == UMCG_STOP_PREEMPTED) preempted.fetch_add(1);
      if (why == UMCG_STOP_UNREGISTERED) --left;
    }
    EXPECT_EQ(umcg_unregister_task(), 0);
  });
  const auto all_had_a_turn = [&turns] {
    return std::all_of(turns.begin(), turns.end(), [](const auto& turn) { return turn > 0; });
  };
  while (preempted.load() < 300 || !all_had_a_turn()) {
    umcg_preempt_worker(running.load());
    sched_yield();
  }
  stop.store(true);
  server.join();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(umcg_destroy_group(group), 0);
}

TEST_F(contract, ChildOfAForkIsUnregistered) {
  ASSERT_NE(umcg_register_basic_task(0), UMCG_NONE);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const bool fresh = umcg_unregister_task() == -1 && errno == EINVAL &&
                       umcg_register_basic_task(0) != UMCG_NONE && umcg_unregister_task() == 0;
    ::_exit(fresh ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(umcg_unregister_task(), 0);
}

TEST_F(contract, DeadlineAgainstWakeLosesNothing) {
  // Every wait ends for one of the two reasons, and wakes that were not consumed by a wait are
  // still there.
  constexpr int rounds = 3000;
  std::atomic<umcg_tid> id{UMCG_NONE};
  std::atomic<int> sent{0};
  std::atomic<bool> done{false};
  std::thread waker([&] {
    while (id.load() == UMCG_NONE) sched_yield();
    while (!done.load()) {
      const int before = sent.load();
      if (umcg_wake(id.load(), false) == 0) sent.store(before + 1);
      for (int spin = 0; spin < 200 * (before % 7); ++spin) sched_getcpu();
    }
  });
  run_workers(1, 2, [&](int) {
    id.store(umcg_get_utid());
    int woken = 0;
    for (int round = 0; round < rounds; ++round) {
      const std::uint64_t until = umcg_get_time_ns() + 20'000U * static_cast<unsigned>(round % 9);
      if (umcg_wait(until) == 0) ++woken;
    }
    EXPECT_GT(woken, 0);
    EXPECT_LE(woken, sent.load() + 2);
    done.store(true);
  });
  waker.join();
}

}  // namespace
