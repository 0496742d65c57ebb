// SPDX-License-Identifier: MIT
// One queue of the idle workers list: first in, first out, and each worker to one taker.
#include "libumcg/idle_workers.hpp"

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace umcg::libumcg {
namespace {

// Listed workers, numbered by their tags.
class listed_workers {
 public:
  explicit listed_workers(std::size_t count) : all_(std::make_unique<task[]>(count)) {
    for (std::size_t number = 0; number < count; ++number) {
      all_[number].tag.store(static_cast<std::intptr_t>(number));
      all_[number].state.begin(task_state::listed);
    }
  }
  task& operator[](std::size_t number) { return all_[number]; }

 private:
  std::unique_ptr<task[]> all_;
};

std::vector<std::intptr_t> numbers(task_chain chain) {
  std::vector<std::intptr_t> found;
  while (const task* worker = chain.pop()) found.push_back(worker->tag.load());
  return found;
}

using order = std::vector<std::intptr_t>;

TEST(task_chain, KeepsItsOrder) {
  listed_workers workers(5);
  task_chain first;
  task_chain second;
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(first.pop(), nullptr);
  for (const std::size_t number : {0U, 1U}) first.push(workers[number]);
  for (const std::size_t number : {2U, 3U, 4U}) second.push(workers[number]);
  first.append(second);
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(second.size, 0U);
  EXPECT_EQ(first.size, 5U);
  first.append(second);
  EXPECT_EQ(numbers(first), (order{0, 1, 2, 3, 4}));
  second.append(first);
  EXPECT_EQ(numbers(second), (order{0, 1, 2, 3, 4}));
}

TEST(task_chain, IsUsableAfterItRanEmpty) {
  listed_workers workers(2);
  task_chain chain;
  chain.push(workers[0]);
  EXPECT_EQ(chain.pop(), &workers[0]);
  chain.push(workers[1]);
  EXPECT_EQ(chain.size, 1U);
  EXPECT_EQ(chain.pop(), &workers[1]);
  EXPECT_TRUE(chain.empty());
}

TEST(idle_workers, AreTakenInTheOrderTheyCame) {
  listed_workers workers(4);
  idle_workers queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.take(), nullptr);
  queue.push(workers[0]);
  queue.push(workers[1]);
  task_chain more;
  more.push(workers[2]);
  more.push(workers[3]);
  queue.push_all(more);
  EXPECT_TRUE(more.empty());
  for (std::size_t number = 0; number < 4; ++number) {
    EXPECT_EQ(queue.size(), 4 - number);
    task* const taken = queue.take();
    EXPECT_EQ(taken, &workers[number]);
    EXPECT_EQ(taken->state.place(), task_state::held);
  }
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.take(), nullptr);
}

TEST(idle_workers, AreHalvedFromTheOldEnd) {
  struct halving {
    std::size_t queued;
    std::size_t most;
    std::size_t taken;
  };
  for (const halving expected :
       {halving{0, 32, 0}, halving{1, 32, 1}, halving{2, 32, 1}, halving{5, 32, 3},
        halving{100, 32, 32}, halving{4, 0, 0}, halving{7, SIZE_MAX, 4}}) {
    SCOPED_TRACE(expected.queued);
    listed_workers workers(expected.queued);
    idle_workers queue;
    for (std::size_t number = 0; number < expected.queued; ++number) queue.push(workers[number]);
    const task_chain taken = queue.take_half(expected.most, nullptr);
    EXPECT_EQ(taken.size, expected.taken);
    EXPECT_EQ(queue.size(), expected.queued - expected.taken);
    const order got = numbers(taken);
    for (std::size_t number = 0; number < got.size(); ++number) {
      EXPECT_EQ(got[number], static_cast<std::intptr_t>(number));
      EXPECT_EQ(workers[number].state.place(), task_state::listed);
    }
    if (task* const next = queue.take()) {
      EXPECT_EQ(next->tag.load(), static_cast<std::intptr_t>(expected.taken));
    }
  }
}

TEST(idle_workers_deathtest, OnlyListedWorkersAreTaken) {
  listed_workers workers(1);
  idle_workers queue;
  EXPECT_TRUE(workers[0].state.hold());
  queue.push(workers[0]);
  EXPECT_DEATH(queue.take(), "broken invariant");
}

// Servers that take, servers that move halves to their own queue, and pushers, all at once: each
// worker is taken once.
TEST(idle_workers, AreTakenOnceUnderContention) {
  constexpr std::size_t pushers = 2;
  constexpr std::size_t takers = 3;
  constexpr std::size_t each = 5000;
  listed_workers workers(pushers * each);
  idle_workers shared;
  std::array<idle_workers, takers> own;
  std::array<std::atomic<int>, pushers * each> taken_times{};
  std::atomic<std::size_t> left{pushers * each};
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < takers; ++number) {
    threads.emplace_back([&, number] {
      for (bool from_shared = true; left.load() > 0; from_shared = !from_shared) {
        task_chain moved =
            (from_shared ? shared : own[(number + 1) % takers]).take_half(8, nullptr);
        own[number].push_all(moved);
        const task* const worker = own[number].take();
        if (worker == nullptr) {
          std::this_thread::yield();
          continue;
        }
        taken_times[static_cast<std::size_t>(worker->tag.load())].fetch_add(1);
        left.fetch_sub(1);
      }
    });
  }
  for (std::size_t number = 0; number < pushers; ++number) {
    threads.emplace_back([&, number] {
      for (std::size_t at = 0; at < each; ++at) shared.push(workers[number * each + at]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& times : taken_times) EXPECT_EQ(times.load(), 1);
  EXPECT_TRUE(shared.empty());
}

}  // namespace
}  // namespace umcg::libumcg
