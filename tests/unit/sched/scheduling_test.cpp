// SPDX-License-Identifier: MIT

// Who runs when: first come, first served on one server; on several, every idle server finds work
// while there is any; and a worker that only yields keeps nobody from running.

#include <sched.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "sched/one_shot.hpp"
#include "umcg/worker.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

using std::chrono::milliseconds;
using testing::becomes_true;

constexpr int many = 1000;

std::vector<int> in_order(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

class one_server : public testing::group_test {
 protected:
  // Who computes for long, or makes a thread, keeps the server.
  group on = group::start({.servers = 1, .quantum = {}, .hand_off = {.watch = "off"}});
};

TEST_F(one_server, runs_what_a_thread_spawns_in_order) {
  std::vector<int> order;
  for (int i = 0; i < many; ++i) {
    on.spawn([&order, i] { order.push_back(i); }).detach();
  }
  on.stop();
  EXPECT_EQ(order, in_order(many));
}

TEST_F(one_server, runs_what_a_worker_spawns_in_order) {
  std::vector<int> order;
  on.spawn([&] {
      for (int i = 0; i < many; ++i) on.spawn([&order, i] { order.push_back(i); }).detach();
    }).detach();
  on.stop();
  EXPECT_EQ(order, in_order(many));
}

// From a worker and from a thread.
TEST_F(one_server, runs_what_is_woken_in_order) {
  for (const bool by_worker : {true, false}) {
    std::vector<int> order;
    std::deque<sched::one_shot*> gates(many);
    std::atomic<int> waiting = 0;
    for (int i = 0; i < many; ++i) {
      on.spawn([&, i] {
          sched::one_shot gate;
          gates[static_cast<std::size_t>(i)] = &gate;
          ++waiting;
          gate.wait();
          order.push_back(i);
        }).detach();
    }
    ASSERT_TRUE(becomes_true([&waiting] { return waiting == many; }));
    const auto wake_all = [&gates] {
      for (sched::one_shot* gate : gates) gate->set();
    };
    if (by_worker) on.spawn(wake_all).join();
    if (!by_worker) wake_all();
    ASSERT_TRUE(becomes_true([this] { return on.workers() == 0; }));
    EXPECT_EQ(order, in_order(many));
  }
}

TEST_F(one_server, runs_workers_that_yield_in_turn) {
  constexpr int workers = 10;
  constexpr int rounds = 300;
  std::vector<int> order;
  on.spawn([&] {
      for (int i = 0; i < workers; ++i) {
        on.spawn([&order, i] {
            for (int round = 0; round < rounds; ++round) {
              order.push_back(i);
              yield();
            }
          }).detach();
      }
    }).detach();
  on.stop();
  ASSERT_EQ(order.size(), static_cast<std::size_t>(workers * rounds));
  for (std::size_t at = 0; at < order.size(); ++at) {
    ASSERT_EQ(order[at], static_cast<int>(at) % workers) << "position " << at;
  }
}

// Yielders make the server busy; what a thread spawns meanwhile, and what a timer wakes, gets its
// turn all the same. One yielder alone is a case of its own: nobody follows it.
TEST_F(one_server, yielding_workers_starve_neither_arrivals_nor_timers) {
  for (const int yielders : {1, 2, 3, 64, 200}) {
    std::atomic<bool> enough = false;
    std::vector<worker> busy;
    std::atomic<int> begun = 0;
    for (int i = 0; i < yielders; ++i) {
      busy.push_back(on.spawn([&] {
        ++begun;
        while (!enough) yield();
      }));
    }
    ASSERT_TRUE(becomes_true([&] { return begun == yielders; }));
    std::atomic<int> awake = 0;
    on.spawn([&] {
        ++awake;
        sleep_until(deadline::after(milliseconds(1)));
        ++awake;
      }).detach();
    EXPECT_TRUE(becomes_true([&awake] { return awake == 2; }))
        << yielders << " yielders, " << (awake == 0 ? "arrival" : "timer") << " starved";
    enough = true;
  }
}

TEST(yield, lets_a_plain_thread_go_on) { yield(); }

// Ends only when as many workers as there are servers run at the same time: none of them yields to
// its server.
void meet(std::atomic<unsigned>& arrived, unsigned expected) {
  ++arrived;
  while (arrived < expected) ::sched_yield();
}

class many_servers : public testing::group_test, public ::testing::WithParamInterface<unsigned> {
 protected:
  const unsigned servers = GetParam();
  group on = group::start({.servers = servers});
};

INSTANTIATE_TEST_SUITE_P(servers, many_servers, ::testing::Values(2, 3, 16));

TEST_P(many_servers, run_what_a_thread_spawns_at_the_same_time) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<unsigned> arrived = 0;
    std::vector<worker> all;
    for (unsigned i = 0; i < servers; ++i) all.push_back(on.spawn([&] { meet(arrived, servers); }));
  }
}

TEST_P(many_servers, run_what_a_worker_spawns_at_the_same_time) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<unsigned> arrived = 0;
    on.spawn([&] {
        std::vector<worker> all;
        for (unsigned i = 1; i < servers; ++i) {
          all.push_back(on.spawn([&] { meet(arrived, servers); }));
        }
        meet(arrived, servers);
      }).join();
  }
}

// A worker that never comes back to its server holds up what that server ran before, until another
// server takes it.
TEST_P(many_servers, take_over_what_waits_behind_a_busy_worker) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> taken_over = false;
    on.spawn([&] {
        worker hog = on.spawn([&taken_over] {
          while (!taken_over) ::sched_yield();
        });
        yield();  // the hog is next here, so we go on elsewhere
        taken_over = true;
      }).join();
  }
}

// More servers than CPUs: each gets its share of the work in the end.
TEST_P(many_servers, make_progress_together) {
  std::atomic<int> ran = 0;
  constexpr int workers = 4000;
  for (int i = 0; i < workers; ++i) {
    on.spawn([&ran] {
        for (int turn = 0; turn < 3; ++turn) yield();
        ++ran;
      }).detach();
  }
  on.stop();
  EXPECT_EQ(ran, workers);
}

}  // namespace
}  // namespace umcg
