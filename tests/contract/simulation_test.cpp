// SPDX-License-Identifier: MIT
// The simulated machine itself: that a seed is a schedule, and that it sees who is forgotten.
#include "contract/simulation.hpp"

#include <set>

#include "contract/harness.hpp"
#include "libumcg/scheduling.hpp"

namespace contract {
namespace {

std::uint64_t trace_of(std::uint32_t seed) {
  simulation::begin(seed);
  group group;
  group.serve(2);
  {
    worker one(group, [] { umcg_wait(after(nanoseconds(500))); });
    worker two(group, [&one] { umcg_wake(one.id(), false); });
  }
  group.stop();
  return simulation::trace();
}

TEST(simulation, a_seed_is_a_schedule) {
  std::set<std::uint64_t> traces;
  trace_of(1);  // the first time there are no tasks to use again
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    const std::uint64_t trace = trace_of(seed);
    EXPECT_EQ(trace_of(seed), trace);
    traces.insert(trace);
  }
  EXPECT_GT(traces.size(), 15U);
}

TEST(simulation, time_moves_when_everybody_sleeps) {
  const std::int64_t before = simulation::now();
  let_pass(std::chrono::hours(1));
  EXPECT_GE(simulation::now() - before, 3'600'000'000'000);
}

// A reactor brings several workers at once and summons one server. That one summons the next (R3):
// none of the workers waits beside a sleeping server.
TEST(simulation, completions_spread_over_all_servers) {
  using namespace umcg;
  group group;
  constexpr int count = 3;
  std::atomic<int> running{0};
  std::vector<std::unique_ptr<worker>> workers;
  const registration self(umcg_register_server(group, 0));
  libumcg::task_chain completed;
  for (int at = 0; at < count; ++at) {
    workers.push_back(std::make_unique<worker>(group, [&running] {
      libumcg::block(*libumcg::current_task);
      running.fetch_add(1);
      while (running.load() < count) pause();
    }));
    const umcg_tid blocked = umcg_run_worker(umcg_get_idle_worker(true));
    libumcg::task& who = *libumcg::find_task(blocked).who;
    who.state.unblock();
    completed.push(who);
  }
  group.serve(count - 1);
  let_pass(milliseconds(10));
  libumcg::publish_here(*libumcg::current_task, completed);
  umcg_run_worker(umcg_get_idle_worker(true));
  group.stop();
}

TEST(simulation_death, who_is_never_woken_is_found) {
  GTEST_FLAG_SET(death_test_style, "fast");
  const int somewhere = 0;
  // A sleep may end without a reason, so more than one.
  EXPECT_DEATH(for (int sleeps = 0; sleeps < 100; ++sleeps)
                   simulation::sleep(&somewhere, simulation::never),
               "Everybody sleeps and nobody will wake them.*--seed");
}

}  // namespace
}  // namespace contract
