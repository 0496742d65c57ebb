// SPDX-License-Identifier: MIT
// Every named move from every place: where it is allowed it goes where the diagram in
// task_state.hpp says, elsewhere it is refused or the program is stopped.
#include "libumcg/task_state.hpp"

#include <array>
#include <barrier>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace umcg::libumcg {
namespace {

constexpr std::uint64_t first_life = 1;

struct named_place {
  std::string name;
  std::uint64_t place;
};

const std::vector<named_place> places{
    {"none", task_state::none},         {"listed", task_state::listed},
    {"held", task_state::held},         {"running", task_state::running},
    {"blocked", task_state::blocked},   {"waiting", task_state::waiting},
    {"attached", task_state::attached},
};

// Puts a fresh task there.
void begin_at(task_state& state, std::uint64_t place, std::uint64_t flags = 0) {
  if (place != task_state::none) state.begin(place | flags);
}

struct refusable_move {
  std::string name;
  std::function<bool(task_state&)> make;
  std::uint64_t from;
  std::uint64_t to;
};

const std::vector<refusable_move> refusable_moves{
    {"hold", &task_state::hold, task_state::listed, task_state::held},
    {"run_held", &task_state::run_held, task_state::held, task_state::running},
    {"run_waiting", &task_state::run_waiting, task_state::waiting,
     task_state::running | task_state::woken},
    {"stop_waiting", &task_state::stop_waiting, task_state::waiting, task_state::running},
};

TEST(task_state_moves, AreMadeOrRefused) {
  for (const refusable_move& move : refusable_moves) {
    for (const named_place& start : places) {
      SCOPED_TRACE(move.name + " from " + start.name);
      task_state state;
      begin_at(state, start.place);
      const std::uint64_t before = state.look();
      const std::uint64_t stamp = state.stamp();
      const bool allowed = start.place == move.from;
      EXPECT_EQ(move.make(state), allowed);
      EXPECT_EQ(state.look(), allowed ? move.to : before);
      EXPECT_EQ(state.stamp(), stamp + (allowed ? 1 : 0));
    }
  }
}

struct certain_move {
  std::string name;
  std::function<void(task_state&)> make;
  std::uint64_t from;
  std::uint64_t to;
};

const std::vector<certain_move> certain_moves{
    {"unhold", &task_state::unhold, task_state::held, task_state::listed},
    {"block_or_list", &task_state::block_or_list, task_state::running, task_state::blocked},
    {"unblock", &task_state::unblock, task_state::blocked, task_state::listed},
    {"yield", &task_state::yield, task_state::running, task_state::listed},
    {"attach", &task_state::attach, task_state::running, task_state::attached},
    {"detach", &task_state::detach, task_state::attached, task_state::running},
    {"wait_or_list", &task_state::wait_or_list, task_state::running, task_state::waiting},
    {"wait_unless_woken", &task_state::wait_unless_woken, task_state::running, task_state::waiting},
};

TEST(task_state_moves, GoWhereTheDiagramSays) {
  for (const certain_move& move : certain_moves) {
    SCOPED_TRACE(move.name);
    task_state state;
    begin_at(state, move.from);
    const std::uint64_t stamp = state.stamp();
    move.make(state);
    EXPECT_EQ(state.look(), move.to);
    EXPECT_EQ(state.stamp(), stamp + 1);
  }
}

TEST(task_state_deathtest, AMoveFromAnywhereElseStopsTheProgram) {
  for (const certain_move& move : certain_moves) {
    for (const named_place& start : places) {
      if (start.place == move.from) continue;
      SCOPED_TRACE(move.name + " from " + start.name);
      task_state state;
      begin_at(state, start.place);
      EXPECT_DEATH(move.make(state), "broken invariant");
    }
  }
  task_state begun;
  begin_at(begun, task_state::running);
  EXPECT_DEATH(begun.begin(task_state::running), "broken invariant");
}

TEST(task_state_flags, SurviveMovesOfPlace) {
  task_state state;
  begin_at(state, task_state::listed, task_state::wake_queued);
  EXPECT_TRUE(state.hold());
  EXPECT_TRUE(state.run_held());
  EXPECT_EQ(state.look(), task_state::running | task_state::wake_queued);
  EXPECT_FALSE(state.block_or_list());
  state.unblock();
  EXPECT_EQ(state.look(), task_state::listed | task_state::wake_queued);
}

TEST(task_state_blocking, WhoComesBackEarlyIsListedByWhoeverCommits) {
  task_state state;
  begin_at(state, task_state::running);
  EXPECT_FALSE(state.come_back());
  EXPECT_EQ(state.place(), task_state::running);
  EXPECT_TRUE(state.block_or_list());
  EXPECT_EQ(state.look(), task_state::listed);
}

TEST(task_state_blocking, WhoComesBackLateListsItself) {
  task_state state;
  begin_at(state, task_state::running);
  EXPECT_FALSE(state.block_or_list());
  EXPECT_EQ(state.look(), task_state::blocked);
  EXPECT_TRUE(state.come_back());
  EXPECT_EQ(state.look(), task_state::listed);
}

TEST(task_state_flags, APreemptionRequestEndsWithTheRun) {
  const std::array<std::function<void(task_state&)>, 4> stops{
      &task_state::block_or_list, &task_state::yield, &task_state::wait_or_list,
      [](task_state& state) { EXPECT_TRUE(state.take_preempt_request()); }};
  for (const auto& stop : stops) {
    task_state state;
    begin_at(state, task_state::running);
    EXPECT_EQ(state.request_preempt(first_life), preempt_result::asked);
    EXPECT_NE(state.look() & task_state::preempt_requested, 0U);
    stop(state);
    EXPECT_EQ(state.look() & task_state::preempt_requested, 0U);
    EXPECT_FALSE(state.take_preempt_request());
  }
}

TEST(task_state_preemption, AsksOnlyWhoRuns) {
  for (const named_place& start : places) {
    SCOPED_TRACE(start.name);
    task_state state;
    begin_at(state, start.place);
    const bool runs = start.place == task_state::running;
    EXPECT_EQ(state.request_preempt(first_life + 1), preempt_result::not_running);
    EXPECT_EQ(state.request_preempt(first_life),
              runs ? preempt_result::asked : preempt_result::not_running);
    EXPECT_EQ(state.request_preempt(first_life),
              runs ? preempt_result::asked_before : preempt_result::not_running);
  }
}

TEST(task_state_wake, EndsAWait) {
  task_state worker;
  begin_at(worker, task_state::waiting);
  EXPECT_EQ(worker.wake(first_life, true), wake_result::publish);
  EXPECT_EQ(worker.look(), task_state::listed | task_state::woken);
  task_state server;
  begin_at(server, task_state::waiting);
  EXPECT_EQ(server.wake(first_life, false), wake_result::rouse);
  EXPECT_EQ(server.look(), task_state::running);
}

TEST(task_state_wake, IsRememberedOnceByWhoDoesNotWait) {
  for (const named_place& start : places) {
    if (start.place == task_state::none || start.place == task_state::waiting) continue;
    SCOPED_TRACE(start.name);
    task_state state;
    begin_at(state, start.place);
    EXPECT_EQ(state.wake(first_life, true), wake_result::queued);
    EXPECT_EQ(state.wake(first_life, true), wake_result::queued);
    EXPECT_EQ(state.look(), start.place | task_state::wake_queued);
    EXPECT_TRUE(state.take_wake());
    EXPECT_FALSE(state.take_wake());
  }
}

TEST(task_state_wake, OfALifeThatIsOverDoesNothing) {
  for (const named_place& start : places) {
    SCOPED_TRACE(start.name);
    task_state state;
    begin_at(state, start.place);
    const std::uint64_t stamp = state.stamp();
    EXPECT_EQ(state.wake(first_life + 1, true), wake_result::stale);
    EXPECT_EQ(state.look(), start.place);
    EXPECT_EQ(state.stamp(), stamp);
  }
  task_state ended;
  begin_at(ended, task_state::running, task_state::wake_queued);
  ended.end();
  EXPECT_EQ(ended.look(), task_state::none);
  EXPECT_EQ(ended.wake(first_life, true), wake_result::stale);
}

TEST(task_state_wait, ConsumesAQueuedWake) {
  task_state worker;
  begin_at(worker, task_state::running, task_state::wake_queued);
  EXPECT_TRUE(worker.wait_or_list());
  EXPECT_EQ(worker.look(), task_state::listed | task_state::woken);
  task_state server;
  begin_at(server, task_state::running, task_state::wake_queued);
  EXPECT_FALSE(server.wait_unless_woken());
  EXPECT_EQ(server.look(), task_state::running);
}

TEST(task_state_wait, EndsAtADeadlineThatPassedOnTheWay) {
  task_state state;
  begin_at(state, task_state::running);
  EXPECT_FALSE(state.time_out());
  EXPECT_TRUE(state.wait_or_list());
  EXPECT_EQ(state.look(), task_state::listed | task_state::timed_out);
}

TEST(task_state_wait, PrefersAWakeToADeadline) {
  task_state state;
  begin_at(state, task_state::running, task_state::wake_queued | task_state::timed_out);
  EXPECT_TRUE(state.wait_or_list());
  EXPECT_EQ(state.look(), task_state::listed | task_state::woken);
}

TEST(task_state_deadline, ListsWhoWaitsAndTellsWhoIsOnTheWay) {
  for (const named_place& start : places) {
    SCOPED_TRACE(start.name);
    task_state state;
    begin_at(state, start.place);
    EXPECT_EQ(state.time_out(), start.place == task_state::waiting);
    const bool waited = start.place == task_state::waiting;
    const bool told = waited || start.place == task_state::running;
    EXPECT_EQ(state.place(), waited ? task_state::listed : start.place);
    EXPECT_EQ((state.look() & task_state::timed_out) != 0, told);
  }
  task_state woken;
  begin_at(woken, task_state::running, task_state::woken);
  EXPECT_FALSE(woken.time_out());
  EXPECT_FALSE(woken.end_wait());
  EXPECT_EQ(woken.look(), task_state::running);
}

TEST(task_state_deadline, IsTakenBackByWhoDoesNotWaitForIt) {
  task_state state;
  begin_at(state, task_state::running, task_state::wake_queued);
  EXPECT_FALSE(state.take_time_out());
  EXPECT_FALSE(state.time_out());
  EXPECT_TRUE(state.take_time_out());
  EXPECT_EQ(state.look(), task_state::running | task_state::wake_queued);
}

TEST(task_state_deadline, EndsTheWaitOnlyWithoutAnyWake) {
  struct outcome {
    std::uint64_t flags;
    bool by_deadline;
    std::uint64_t left;
  };
  constexpr std::uint64_t timed_out = task_state::timed_out;
  constexpr std::uint64_t woken = task_state::woken;
  constexpr std::uint64_t queued = task_state::wake_queued;
  const std::vector<outcome> outcomes{
      {timed_out, true, 0},
      {woken, false, 0},
      {timed_out | woken, false, 0},
      {timed_out | queued, false, 0},  // the wake came later and still beats the deadline
      {woken | queued, false, queued},
      {timed_out | woken | queued, false, queued},
      {queued, false, queued},
      {0, false, 0},
  };
  for (const outcome& expected : outcomes) {
    SCOPED_TRACE(expected.flags);
    task_state state;
    begin_at(state, task_state::running, expected.flags);
    EXPECT_EQ(state.end_wait(), expected.by_deadline);
    EXPECT_EQ(state.look(), task_state::running | expected.left);
  }
}

// The word never returns to an earlier value while somebody may still compare with it.
TEST(task_state_stamp, DiffersFromItsPredecessor) {
  task_state state;
  begin_at(state, task_state::running);
  std::uint64_t last = state.stamp();
  const auto moved = [&state, &last] {
    const std::uint64_t now = state.stamp();
    const bool next = now == last + 1;
    last = now;
    return next;
  };
  for (int updates = 0; updates < 1 << 20; updates += 5) {
    state.yield();
    ASSERT_TRUE(moved());
    ASSERT_TRUE(state.hold());
    ASSERT_TRUE(moved());
    ASSERT_TRUE(state.run_held());
    ASSERT_TRUE(moved());
    state.end();
    ASSERT_TRUE(moved());
    state.begin(task_state::running);
    ASSERT_TRUE(moved());
  }
}

TEST(task_state_life, IsAnotherWithEachBeginning) {
  task_state state;
  for (std::uint64_t life = first_life; life < 0x10000; ++life) {
    state.begin(task_state::running);
    ASSERT_EQ(state.life(), life);
    ASSERT_EQ(state.wake(life - 1, true), wake_result::stale);
    ASSERT_EQ(state.wake(life, true), wake_result::queued);
    state.end();
    ASSERT_EQ(state.life(), life);
    ASSERT_EQ(state.wake(life, true), wake_result::stale);
  }
  state.begin(task_state::running);
  EXPECT_EQ(state.life(), 0U);
}

TEST(task_state_life, IsWhatAFoundWorkerIsRunIn) {
  for (const named_place& start : places) {
    SCOPED_TRACE(start.name);
    task_state state;
    begin_at(state, start.place);
    EXPECT_FALSE(state.run_found(first_life + 1, false));
    EXPECT_EQ(state.look(), start.place);
    const bool waits = start.place == task_state::waiting;
    const bool can_run = waits || start.place == task_state::held;
    EXPECT_EQ(state.run_found(first_life, false), can_run);
    EXPECT_EQ(state.look(),
              can_run ? task_state::running | (waits ? task_state::woken : 0) : start.place);
  }
}

TEST(task_state_life, ASwapBeatsADeadlineAndARunDoesNot) {
  for (const bool wakes : {false, true}) {
    task_state state;
    begin_at(state, task_state::waiting);
    EXPECT_TRUE(state.time_out());
    EXPECT_TRUE(state.hold());
    EXPECT_TRUE(state.run_found(first_life, wakes));
    EXPECT_EQ(state.end_wait(), !wakes);
    EXPECT_EQ(state.look(), task_state::running);
  }
}

// Of several that want the same move, one makes it.
TEST(task_state_race, HasOneWinner) {
  constexpr int rounds = 1000;
  constexpr int contenders = 3;
  task_state state;
  begin_at(state, task_state::listed);
  std::atomic<int> won{0};
  std::barrier round_over(contenders, [&]() noexcept {
    if (won.exchange(0) == 1) state.unhold();
  });
  std::vector<std::thread> threads;
  for (int number = 0; number < contenders; ++number) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        if (state.hold()) won.fetch_add(1);
        round_over.arrive_and_wait();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Two winners, or none, would have left it held or broken unhold().
  EXPECT_EQ(state.look(), task_state::listed);
  EXPECT_GE(state.stamp(), std::uint64_t{2 * rounds});
}

// A wake and a deadline race for one wait: it ends once, the wake wins, and nothing is left over.
TEST(task_state_race, AWaitEndsOnce) {
  constexpr int rounds = 1000;
  task_state state;
  begin_at(state, task_state::running);
  std::atomic<int> ended{0};
  std::barrier step(2);
  std::thread timer([&] {
    for (int round = 0; round < rounds; ++round) {
      step.arrive_and_wait();
      if (state.time_out()) ended.fetch_add(1);
      step.arrive_and_wait();
    }
  });
  for (int round = 0; round < rounds; ++round) {
    EXPECT_FALSE(state.wait_or_list());
    step.arrive_and_wait();
    if (state.wake(first_life, true) == wake_result::publish) ended.fetch_add(1);
    step.arrive_and_wait();
    EXPECT_EQ(ended.exchange(0), 1);
    EXPECT_TRUE(state.hold());
    EXPECT_TRUE(state.run_held());
    EXPECT_FALSE(state.end_wait());
    EXPECT_EQ(state.look(), task_state::running);
  }
  timer.join();
}

}  // namespace
}  // namespace umcg::libumcg
