// SPDX-License-Identifier: MIT
// Ids mean one thread, for ever; slots are used again.
#include "libumcg/task_table.hpp"

#include <cstdlib>
#include <iostream>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace umcg::libumcg {
namespace {

unsigned chosen_seed() {
  const char* const given = std::getenv("UMCG_TEST_SEED");
  const unsigned seed =
      given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
  std::cout << "UMCG_TEST_SEED=" << seed << '\n';
  return seed;
}

std::vector<task*> allocate(std::size_t count) {
  std::vector<task*> tasks(count);
  for (task*& one : tasks) one = allocate_task();
  return tasks;
}

void free_all(const std::vector<task*>& tasks) {
  for (task* one : tasks) free_task(*one);
}

TEST(task_table, FindsATaskByItsId) {
  const std::vector<task*> tasks = allocate(1000);  // several chunks
  std::set<std::intptr_t> ids;
  for (task* one : tasks) {
    ASSERT_NE(one, nullptr);
    EXPECT_EQ(one->kind, task_kind::none);
    const std::intptr_t id = id_of(*one);
    EXPECT_GT(id, 0);
    EXPECT_TRUE(ids.insert(id).second);
    const task_reference found = find_task(id);
    EXPECT_EQ(found.who, one);
    EXPECT_TRUE(found.current());
  }
  free_all(tasks);
}

TEST(task_table, KnowsThatAnIdIsOver) {
  task* const first = allocate_task();
  const std::intptr_t stale = id_of(*first);
  const task_reference held = find_task(stale);
  first->tag.store(5);
  free_task(*first);
  EXPECT_FALSE(held.current());
  EXPECT_FALSE(find_task(stale).current());

  task* const second = allocate_task();
  ASSERT_EQ(second, first);  // the slot is used again
  EXPECT_NE(id_of(*second), stale);
  EXPECT_FALSE(find_task(stale).current());
  EXPECT_TRUE(find_task(id_of(*second)).current());
  EXPECT_EQ(second->tag.load(), 0);
  free_task(*second);
}

TEST(task_table, FindsNothingForIdsThatNeverWere) {
  task* const some = allocate_task();
  const std::intptr_t id = id_of(*some);
  constexpr std::intptr_t slot_bits = (std::intptr_t{1} << 24) - 1;
  for (const std::intptr_t never :
       {std::intptr_t{0}, std::intptr_t{-1}, -id, std::numeric_limits<std::intptr_t>::min(),
        std::numeric_limits<std::intptr_t>::max(), slot_bits, slot_bits + 1, slot_bits / 2}) {
    SCOPED_TRACE(never);
    EXPECT_FALSE(find_task(never).current());
  }
  // An id of a later generation of a slot in use.
  EXPECT_FALSE(find_task(id + slot_bits + 1).current());
  free_task(*some);
}

TEST(task_table, UsesSlotsAgain) {
  std::uint32_t last_slot = 0;
  for (task* one : allocate(300)) {
    last_slot = std::max(last_slot, one->slot);
    free_task(*one);
  }
  std::mt19937 random(chosen_seed());
  std::vector<task*> live;
  for (int round = 0; round < 10'000; ++round) {
    if (live.size() < 200 && random() % 2 == 0) {
      live.push_back(allocate_task());
      EXPECT_LE(live.back()->slot, last_slot);
    } else if (!live.empty()) {
      std::swap(live[random() % live.size()], live.back());
      free_task(*live.back());
      live.pop_back();
    }
  }
  free_all(live);
}

// Threads take and free tasks, and look each other's up meanwhile: nobody gets a task that is
// another's, and an id that is current means the one who published it.
TEST(task_table, IsSharedByThreads) {
  constexpr std::size_t threads_count = 4;
  constexpr int rounds = 5000;
  std::array<std::atomic<std::intptr_t>, threads_count> published{};
  std::atomic<int> broken{0};
  const unsigned seed = chosen_seed();
  const auto churn = [&](std::size_t number) {
    std::mt19937 random(seed + static_cast<unsigned>(number));
    const auto mark = static_cast<std::intptr_t>(number) + 1;
    for (int round = 0; round < rounds; ++round) {
      task& mine = *allocate_task();
      if (mine.tag.exchange(mark) != 0) broken.fetch_add(1);
      published[number].store(id_of(mine));
      const std::size_t other = random() % threads_count;
      const task_reference seen = find_task(published[other].load());
      const std::intptr_t tag = seen.who != nullptr ? seen.who->tag.load() : 0;
      const bool anothers = tag != static_cast<std::intptr_t>(other) + 1;
      if (seen.current() && anothers) broken.fetch_add(1);
      if (mine.tag.load() != mark) broken.fetch_add(1);
      free_task(mine);
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < threads_count; ++number)
    threads.emplace_back(churn, number);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(broken.load(), 0);
}

}  // namespace
}  // namespace umcg::libumcg
