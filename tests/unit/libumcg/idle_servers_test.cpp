// SPDX-License-Identifier: MIT
// Parked servers: each announcement ends by one withdrawal or one summons, never by both. Whether a
// worker can be left waiting beside a parked server is the model's question (tests/model).
#include "libumcg/idle_servers.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/futex.hpp"
#include "libumcg/idle_workers.hpp"

namespace umcg::libumcg {
namespace {

TEST(idle_servers, SummonTheWarmestFirst) {
  std::array<task, 3> servers;
  idle_servers parked;
  EXPECT_EQ(parked.count(), 0U);
  EXPECT_EQ(parked.take_one(), nullptr);
  for (task& server : servers) parked.announce(server);
  EXPECT_EQ(parked.count(), 3U);
  EXPECT_EQ(parked.take_one(), &servers[2]);
  EXPECT_EQ(parked.take_one(), &servers[1]);
  EXPECT_EQ(parked.take_one(), &servers[0]);
  EXPECT_EQ(parked.take_one(), nullptr);
  EXPECT_EQ(parked.count(), 0U);
}

TEST(idle_servers, WithdrawFromAnyPlace) {
  for (std::size_t leaving = 0; leaving < 3; ++leaving) {
    std::array<task, 3> servers;
    idle_servers parked;
    for (task& server : servers) parked.announce(server);
    EXPECT_TRUE(parked.withdraw(servers[leaving]));
    EXPECT_FALSE(parked.withdraw(servers[leaving]));
    EXPECT_EQ(parked.count(), 2U);
    for (std::size_t at = 3; at-- > 0;) {
      if (at == leaving) continue;
      EXPECT_EQ(parked.take_one(), &servers[at]);
    }
    EXPECT_EQ(parked.take_one(), nullptr);
  }
}

TEST(idle_servers, CannotWithdrawOnceSummoned) {
  task server;
  idle_servers parked;
  EXPECT_FALSE(parked.withdraw(server));
  parked.announce(server);
  EXPECT_EQ(parked.take_one(), &server);
  EXPECT_FALSE(parked.withdraw(server));
  parked.announce(server);
  EXPECT_TRUE(parked.withdraw(server));
}

TEST(idle_servers, AreSummonedOnceForEachAnnouncement) {
  constexpr std::size_t servers_count = 3;
  constexpr int rounds = 5000;
  std::array<task, servers_count> servers;
  std::array<std::atomic<int>, servers_count> summoned{};
  idle_servers parked;
  std::atomic<std::size_t> serving{servers_count};
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < servers_count; ++number) {
    threads.emplace_back([&, number] {
      task& self = servers[number];
      int missed = 0;
      for (int round = 0; round < rounds; ++round) {
        parked.announce(self);
        if (round % 3 == 0) std::this_thread::yield();
        if (!parked.withdraw(self)) ++missed;
        // A summons is on its way: it has to arrive before the next announcement.
        while (summoned[number].load() < missed) std::this_thread::yield();
      }
      EXPECT_EQ(summoned[number].load(), missed);
      serving.fetch_sub(1);
    });
  }
  threads.emplace_back([&] {
    while (serving.load() > 0) {
      const task* const server = parked.take_one();
      if (server == nullptr) {
        std::this_thread::yield();
      } else {
        summoned[static_cast<std::size_t>(server - servers.data())].fetch_add(1);
      }
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(parked.count(), 0U);
}

// The protocol itself, with real sleeps: whatever is pushed is taken, though servers park whenever
// they find nothing and a pusher summons one only.
TEST(idle_servers, ParkBesideNoWorker) {
  constexpr std::size_t servers_count = 3;
  constexpr std::size_t pushes = 20'000;
  const auto workers = std::make_unique<task[]>(pushes);
  std::array<task, servers_count> servers;
  std::array<std::atomic<std::uint32_t>, servers_count> roused{};
  idle_workers queue;
  idle_servers parked;
  std::atomic<std::size_t> taken{0};
  const auto rouse = [&](const task& server) {
    std::atomic<std::uint32_t>& word = roused[static_cast<std::size_t>(&server - servers.data())];
    word.store(1);
    base::futex_wake(word);
  };
  const auto serve = [&](std::size_t number) {
    while (taken.load() < pushes) {
      if (queue.take() != nullptr) {
        if (taken.fetch_add(1) + 1 == pushes) std::for_each(servers.begin(), servers.end(), rouse);
        continue;
      }
      parked.announce(servers[number]);
      if (queue.empty() && taken.load() < pushes) {
        while (roused[number].exchange(0) == 0) base::futex_wait(roused[number], 0);
      }
      parked.withdraw(servers[number]);
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < servers_count; ++number)
    threads.emplace_back(serve, number);
  for (std::size_t number = 0; number < pushes; ++number) {
    workers[number].state.begin(task_state::listed);
    queue.push(workers[number]);
    if (const task* const server = parked.take_one()) rouse(*server);
    if (number % 64 == 0) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken.load(), pushes);
}

}  // namespace
}  // namespace umcg::libumcg
