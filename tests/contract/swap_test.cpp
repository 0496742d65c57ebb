// SPDX-License-Identifier: MIT
// T38 to T43: swapping.
#include <array>
#include <cerrno>

#include "contract/harness.hpp"

namespace contract {
namespace {

// Two tasks take turns; how they hand over is `pass`.
void play(const std::function<void(std::function<void()>, std::function<void()>)>& run_both,
          const std::function<void(umcg_tid)>& pass, const char* what) {
  const int strokes = rounds(2'000);
  std::array<std::atomic<umcg_tid>, 2> players{};
  int ball = 0;  // whose turn it is; no lock: that is the point
  std::atomic<bool> ready{false};
  const std::uint64_t begin = umcg_get_time_ns();
  const auto side = [&](std::size_t me) {
    players[me].store(umcg_get_utid());
    while (players[1 - me].load() == UMCG_NONE) umcg_wait(after(milliseconds(1)));
    if (me == 1) {
      ready.store(true);
      EXPECT_EQ(umcg_wait(0), 0);
    } else {
      while (!ready.load() || !waits(players[1].load())) umcg_wait(after(milliseconds(1)));
    }
    for (int stroke = 0; stroke < strokes; ++stroke) {
      EXPECT_EQ(ball % 2, static_cast<int>(me));
      ++ball;
      const bool last = me == 1 && stroke + 1 == strokes;
      if (last) {
        EXPECT_EQ(umcg_wake(players[0].load(), false), 0);
      } else {
        pass(players[1 - me].load());
      }
    }
  };
  run_both([&] { side(0); }, [&] { side(1); });
  EXPECT_EQ(ball, 2 * strokes);
  const auto spent = umcg_get_time_ns() - begin;
  testing::Test::RecordProperty(what,
                                std::to_string(spent / (2U * static_cast<unsigned>(strokes))));
}

void pass_by_wake(umcg_tid other) {
  EXPECT_EQ(umcg_wake(other, true), 0);
  EXPECT_EQ(umcg_wait(0), 0);
}

// The other may not have stopped yet, or be listed by its own deadline.
void pass_by_swap(umcg_tid other) {
  while (umcg_swap(other, 0) != 0) EXPECT_EQ(errno, EBUSY);
}

TEST(swap, T38_PingPongInSixFlavours) {
  const auto as_basic = [](auto one, auto two) {
    basic first(one);
    basic second(two);
  };
  const auto as_servers = [](auto one, auto two) {
    group group;
    server first(group, one);
    server second(group, two);
    first.join();
    second.join();
  };
  const auto as_workers = [](auto one, auto two) {
    group group;
    group.serve(2);
    worker first(group, one);
    worker second(group, two);
    first.join();
    second.join();
  };
  play(as_basic, pass_by_wake, "basic_wake_ns");
  play(as_basic, pass_by_swap, "basic_swap_ns");
  play(as_servers, pass_by_wake, "server_wake_ns");
  play(as_servers, pass_by_swap, "server_swap_ns");
  play(as_workers, pass_by_wake, "worker_wake_ns");
  play(as_workers, pass_by_swap, "worker_swap_ns");
}

TEST(swap, T39_IntoAWorkerInEachPlace) {
  group group;
  std::atomic<int> ran{0};
  worker waiting(group, [&] {
    EXPECT_EQ(umcg_wait(0), 0);
    ran.fetch_add(1);
    EXPECT_EQ(umcg_wait(0), 0);  // woken while it ran
    ran.fetch_add(10);
  });
  const registration self(umcg_register_server(group, 0));
  EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), waiting.id());
  worker held(group, [&] { ran.fetch_add(100); });
  EXPECT_EQ(umcg_get_idle_worker(true), held.id());
  std::atomic<umcg_tid> listed_id{UMCG_NONE};
  worker swapping(group, [&] {
    EXPECT_FAILS(umcg_swap(listed_id.load(), 0), EBUSY);
    EXPECT_FAILS(umcg_swap(listed_id.load(), after(milliseconds(1))), EBUSY);
    EXPECT_EQ(umcg_wake(waiting.id(), false), 0);
    EXPECT_FAILS(umcg_swap(waiting.id(), 0), EBUSY);  // listed now
    EXPECT_EQ(ran.load(), 0);
    EXPECT_EQ(umcg_wake(waiting.id(), false), 0);  // and with a queued wake
    EXPECT_EQ(umcg_swap(held.id(), 0), 0);
    EXPECT_GE(ran.load(), 100);
  });
  EXPECT_EQ(umcg_get_idle_worker(true), swapping.id());
  worker listed(group, [&] { ran.fetch_add(1000); });
  EXPECT_TRUE(eventually([&] { return is_listed(listed.id()); }));
  listed_id.store(listed.id());
  // swapping -> held, which ends: that is what the server learns.
  EXPECT_EQ(umcg_run_worker(swapping.id()), UMCG_NONE);
  EXPECT_EQ(ran.load(), 100);
  EXPECT_EQ(umcg_wake(swapping.id(), false), 0);
  for (const auto* each : {&listed, &waiting, &swapping}) run_until_gone(*each);
  EXPECT_EQ(ran.load(), 1111);
}

TEST(swap, T40_WithAQueuedWakeOfOnesOwn) {
  group group;
  std::atomic<bool> other_ran{false};
  worker other(group, [&] {
    EXPECT_EQ(umcg_wait(0), 0);
    other_ran.store(true);
  });
  const registration self(umcg_register_server(group, 0));
  EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), other.id());
  worker one(group, [&] {
    EXPECT_EQ(umcg_wake(umcg_get_utid(), false), 0);
    EXPECT_EQ(umcg_swap(other.id(), 0), 0);
    EXPECT_FALSE(other_ran.load());
    EXPECT_TRUE(is_listed(other.id()));
  });
  run_until_gone(one);
  run_until_gone(other);
  EXPECT_TRUE(other_ran.load());
}

TEST(swap, T41_BetweenTheWrongOnes) {
  group group;
  contract::group foreign_group;
  foreign_group.serve(1);
  worker foreign(foreign_group, [] { EXPECT_EQ(umcg_wait(0), 0); });
  EXPECT_TRUE(eventually([&] { return waits(foreign.id()); }));
  EXPECT_FAILS(umcg_swap(foreign.id(), 0), EINVAL);  // from a thread that is not registered
  const registration self(umcg_register_server(group, 0));
  EXPECT_FAILS(umcg_swap(foreign.id(), 0), EINVAL);
  EXPECT_FAILS(umcg_swap(UMCG_NONE, 0), EINVAL);
  EXPECT_EQ(umcg_swap(self.id(), 0), 0);
  basic apart([] { EXPECT_EQ(umcg_wait(0), 0); });
  server served(foreign_group, [] { EXPECT_EQ(umcg_wait(0), 0); });
  for (const task_thread* each :
       {static_cast<task_thread*>(&apart), static_cast<task_thread*>(&served)}) {
    EXPECT_TRUE(eventually([each] { return waits(each->id()); }));
    EXPECT_FAILS(umcg_swap(each->id(), 0), EINVAL);
    EXPECT_EQ(umcg_wake(each->id(), false), 0);
  }
  worker one(group, [&] {
    EXPECT_FAILS(umcg_swap(self.id(), 0), EINVAL);
    EXPECT_FAILS(umcg_swap(foreign.id(), 0), EINVAL);
    EXPECT_FAILS(umcg_swap(UMCG_NONE, 0), EINVAL);
    EXPECT_EQ(umcg_swap(umcg_get_utid(), 0), 0);
    EXPECT_EQ(state_of(umcg_get_utid()), std::uint64_t{UMCG_TASK_RUNNING});
  });
  run_until_gone(one);
  EXPECT_TRUE(waits(foreign.id()));
  EXPECT_EQ(umcg_wake(foreign.id(), false), 0);
}

TEST(swap, T42_ChainsAndMutualSwaps) {
  for (const int length : {10, is_simulated() ? 20 : 200}) {
    group group;
    std::vector<std::unique_ptr<worker>> chain;
    std::vector<int> order;
    const registration self(umcg_register_server(group, 0));
    for (int at = 0; at < length; ++at) {
      chain.push_back(std::make_unique<worker>(group, [&, at] {
        EXPECT_EQ(umcg_wait(0), 0);
        order.push_back(at);
        if (at == 0) return;
        EXPECT_EQ(umcg_swap(chain[static_cast<std::size_t>(at - 1)]->id(), 0), 0);
      }));
      EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), chain.back()->id());
    }
    // The whole chain is one run; the first link ends it.
    EXPECT_EQ(umcg_run_worker(chain.back()->id()), UMCG_NONE);
    EXPECT_EQ(order.size(), static_cast<std::size_t>(length));
    for (int at = 1; at < length; ++at) {
      EXPECT_EQ(umcg_wake(chain[static_cast<std::size_t>(at)]->id(), false), 0);
    }
    for (const auto& each : chain) run_until_gone(*each);
  }
  group group;
  group.serve(2);
  std::array<std::atomic<umcg_tid>, 2> ids{};
  std::array<std::atomic<bool>, 2> done{};
  const auto side = [&](std::size_t me) {
    ids[me].store(umcg_get_utid());
    while (ids[1 - me].load() == UMCG_NONE) umcg_wait(after(milliseconds(1)));
    for (int round = rounds(2'000); round > 0; --round) {
      if (umcg_swap(ids[1 - me].load(), after(milliseconds(1))) == 0) continue;
      EXPECT_TRUE(errno == EBUSY || errno == ETIMEDOUT || errno == ESRCH) << errno;
    }
    done[me].store(true);
  };
  worker one(group, [&] { side(0); });
  worker two(group, [&] { side(1); });
  one.join();
  two.join();
  EXPECT_TRUE(done[0].load() && done[1].load());
}

TEST(swap, T43_WithADeadline) {
  group group;
  basic partner([] {
    EXPECT_EQ(umcg_wait(0), 0);
    EXPECT_EQ(umcg_wait(0), 0);
  });
  EXPECT_TRUE(eventually([&] { return waits(partner.id()); }));
  {
    const registration self(umcg_register_basic_task(0));
    const std::uint64_t end = after(milliseconds(5));
    EXPECT_FAILS(umcg_swap(partner.id(), end), ETIMEDOUT);
    EXPECT_GE(umcg_get_time_ns(), end);
    EXPECT_EQ(state_of(self.id()), std::uint64_t{UMCG_TASK_RUNNING});
  }
  EXPECT_EQ(umcg_wake(partner.id(), false), 0);
  const registration self(umcg_register_server(group, 0));
  worker other(group, [] { EXPECT_EQ(umcg_wait(0), 0); });
  EXPECT_EQ(umcg_run_worker(umcg_get_idle_worker(true)), other.id());
  worker one(group, [&] {
    const std::uint64_t end = after(milliseconds(5));
    EXPECT_FAILS(umcg_swap(other.id(), end), ETIMEDOUT);
    EXPECT_GE(umcg_get_time_ns(), end);
    EXPECT_EQ(umcg_get_task_state(other.id()), std::uint64_t{UMCG_TASK_NONE});  // it ran
  });
  run_until_gone(one);
}

}  // namespace
}  // namespace contract
