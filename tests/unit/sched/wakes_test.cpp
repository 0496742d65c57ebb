// SPDX-License-Identifier: MIT

// Waits and wakes across servers, workers and threads: none is lost. A lost one stops the test,
// which then fails by its time limit.

#include <atomic>
#include <deque>
#include <mutex>
#include <numeric>
#include <ostream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "libumcg/scheduling.hpp"
#include "sched/one_shot.hpp"
#include "umcg/worker.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

struct ring_shape {
  unsigned servers;
  int workers;
  int tokens;
};
std::ostream& operator<<(std::ostream& out, const ring_shape& shape) {
  return out << shape.workers << " workers pass " << shape.tokens << " tokens on " << shape.servers
             << " servers";
}

class ring : public testing::group_test, public ::testing::WithParamInterface<ring_shape> {
 protected:
  static constexpr int hops_wanted = 100'000;

  // One worker's place in the ring.
  struct place {
    libumcg::task_reference who;
    std::atomic<int> tokens = 0;
  };

  void give(place& to) {
    ++to.tokens;
    libumcg::wake(to.who);
  }

  void pass_tokens(std::size_t at) {
    libumcg::task& self = *libumcg::current_task;
    const libumcg::preempt_guard guard(&self);
    place& mine = places[at];
    mine.who = libumcg::refer_to(self);
    ++ready;
    for (;;) {
      while (mine.tokens == 0) {
        if (hops >= hops_wanted) return;
        libumcg::wait(self, deadline::never());
      }
      --mine.tokens;
      if (++hops < hops_wanted) {
        give(places[(at + 1) % places.size()]);
      } else {
        for (place& each : places) libumcg::wake(each.who);
      }
    }
  }

  std::deque<place> places;
  std::atomic<int> ready = 0;
  std::atomic<int> hops = 0;
};

INSTANTIATE_TEST_SUITE_P(shapes, ring,
                         ::testing::Values(ring_shape{1, 2, 1}, ring_shape{1, 100, 3},
                                           ring_shape{2, 2, 1}, ring_shape{2, 3, 2},
                                           ring_shape{2, 64, 1}, ring_shape{2, 64, 16},
                                           ring_shape{4, 7, 3}, ring_shape{16, 64, 5}),
                         [](const auto& shape) {
                           return std::to_string(shape.param.servers) + "_servers_" +
                                  std::to_string(shape.param.workers) + "_workers_" +
                                  std::to_string(shape.param.tokens) + "_tokens";
                         });

TEST_P(ring, passes_tokens_without_losing_one) {
  const ring_shape shape = GetParam();
  for (int i = 0; i < shape.workers; ++i) places.emplace_back();
  group on = group::start({.servers = shape.servers});
  std::vector<worker> workers;
  for (std::size_t at = 0; at < places.size(); ++at) {
    workers.push_back(on.spawn([this, at] { pass_tokens(at); }));
  }
  ASSERT_TRUE(testing::becomes_true([&] { return ready == shape.workers; }));
  for (int i = 0; i < shape.tokens; ++i) give(places[static_cast<std::size_t>(i) % places.size()]);
  workers.clear();
  EXPECT_GE(hops, hops_wanted);
  EXPECT_LT(hops, hops_wanted + shape.tokens);
}

// Holds up to `capacity` numbers; whoever must wait does so in a place of its own on its stack.
class channel {
 public:
  void put(int value) {
    for (;;) {
      sched::one_shot room;
      {
        const std::lock_guard guard(mutex_);
        if (values_.size() < capacity) {
          values_.push_back(value);
          wake_one(receivers_);
          return;
        }
        senders_.push_back(&room);
      }
      room.wait();
    }
  }

  int take() {
    for (;;) {
      sched::one_shot something;
      {
        const std::lock_guard guard(mutex_);
        if (!values_.empty()) {
          const int value = values_.front();
          values_.pop_front();
          wake_one(senders_);
          return value;
        }
        receivers_.push_back(&something);
      }
      something.wait();
    }
  }

 private:
  static constexpr std::size_t capacity = 3;

  static void wake_one(std::deque<sched::one_shot*>& waiters) {
    if (waiters.empty()) return;
    waiters.front()->set();
    waiters.pop_front();
  }

  std::mutex mutex_;
  std::deque<int> values_;
  std::deque<sched::one_shot*> senders_;
  std::deque<sched::one_shot*> receivers_;
};

class producers : public testing::group_test, public ::testing::WithParamInterface<unsigned> {
 protected:
  static constexpr int each = 2000;
  static constexpr int worker_pairs = 8;
  static constexpr int thread_pairs = 2;
  static constexpr int end = -1;

  void produce(int first) {
    for (int number = 0; number < each; ++number) between.put(first + number);
  }
  void consume() {
    for (int value; (value = between.take()) != end;) ++seen[static_cast<std::size_t>(value)];
  }

  channel between;
  std::vector<std::atomic<int>> seen =
      std::vector<std::atomic<int>>(each * (worker_pairs + thread_pairs));
};

INSTANTIATE_TEST_SUITE_P(servers, producers, ::testing::Values(1, 2, 3, 16));

// Half of the workers put and half take, and so do plain threads.
TEST_P(producers, and_consumers_hand_over_every_value_once) {
  group on = group::start({.servers = GetParam()});
  std::vector<std::thread> consuming_threads;
  std::vector<std::thread> producing_threads;
  std::vector<worker> consuming;
  std::vector<worker> producing;
  for (int i = 0; i < worker_pairs; ++i) {
    consuming.push_back(on.spawn([this] { consume(); }));
    producing.push_back(on.spawn([this, i] { produce(i * each); }));
  }
  for (int i = worker_pairs; i < worker_pairs + thread_pairs; ++i) {
    consuming_threads.emplace_back([this] { consume(); });
    producing_threads.emplace_back([this, i] { produce(i * each); });
  }
  producing.clear();
  for (std::thread& thread : producing_threads) thread.join();
  for (int i = 0; i < worker_pairs + thread_pairs; ++i) between.put(end);
  consuming.clear();
  for (std::thread& thread : consuming_threads) thread.join();
  for (std::size_t value = 0; value < seen.size(); ++value) {
    ASSERT_EQ(seen[value], 1) << "value " << value;
  }
}

// A group that has gone to sleep is woken by a thread, again and again: the moment in which it
// falls asleep is hit sooner or later.
TEST_P(producers, from_outside_wake_a_sleeping_group) {
  group on = group::start({.servers = GetParam()});
  std::atomic<int> ran = 0;
  for (int round = 0; round < 5000; ++round) {
    on.spawn([&ran] { ++ran; }).detach();
    while (round % 3 != 0 && ran <= round) std::this_thread::yield();
  }
  EXPECT_TRUE(testing::becomes_true([&ran] { return ran == 5000; }));
}

}  // namespace
}  // namespace umcg
