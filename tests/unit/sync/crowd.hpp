// SPDX-License-Identifier: MIT
#pragma once

// Who meets at a primitive: workers of one or more servers and groups, workers in blocking regions,
// plain threads, basic tasks and servers. What is promised is the same for all, so the tests are.

#include <cstdlib>
#include <deque>
#include <iostream>
#include <optional>
#include <ostream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "umcg/blocking_region.hpp"
#include "umcg/body.hpp"
#include "umcg/group.hpp"
#include "umcg/libumcg.h"
#include "unit/sched/group_test.hpp"

namespace umcg::testing {

enum class member { worker, foreign_worker, blocking_worker, thread, basic_task, server };

struct crowd_shape {
  const char* name;
  unsigned servers;             // of the group, and of the other one
  std::vector<member> members;  // in turn
};

inline std::ostream& operator<<(std::ostream& out, const crowd_shape& shape) {
  return out << shape.name;
}

class crowd {
 public:
  explicit crowd(const crowd_shape& shape)
      : members_(shape.members),
        on_(group::start({.servers = shape.servers})),
        foreign_(group::start({.servers = shape.servers})) {}
  ~crowd() { join(); }
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;

  // Lets the next member do `work`, beside the caller.
  void start(body work) { start_as(members_[next_++ % members_.size()], std::move(work)); }

  // Waits for all that was started.
  void join() {
    workers_.clear();
    for (std::thread& each : threads_) each.join();
    threads_.clear();
  }

  void run(body work) {
    start(std::move(work));
    join();
  }

 private:
  void start_as(member kind, body work) {
    switch (kind) {
      case member::worker:
        workers_.push_back(on_.spawn(std::move(work)));
        return;
      case member::foreign_worker:
        workers_.push_back(foreign_.spawn(std::move(work)));
        return;
      case member::blocking_worker:
        workers_.push_back(on_.spawn([does = std::move(work)]() mutable {
          const blocking_region region;
          does();
        }));
        return;
      case member::thread:
        threads_.emplace_back(std::move(work));
        return;
      case member::basic_task:
        threads_.emplace_back([does = std::move(work)]() mutable {
          umcg_register_basic_task(0);
          does();
          umcg_unregister_task();
        });
        return;
      case member::server:
        threads_.emplace_back([does = std::move(work)]() mutable {
          const umcg_t own = umcg_create_group(0);
          umcg_register_server(own, 0);
          does();
          umcg_unregister_task();
          umcg_destroy_group(own);
        });
        return;
    }
  }

  const std::vector<member> members_;
  std::size_t next_ = 0;
  group on_;
  group foreign_;
  std::vector<worker> workers_;
  std::vector<std::thread> threads_;
};

class crowd_test : public group_test, public ::testing::WithParamInterface<crowd_shape> {
 protected:
  void SetUp() override {
    group_test::SetUp();
    if (!IsSkipped()) crowd_.emplace(GetParam());
  }
  void TearDown() override { crowd_.reset(); }

  crowd& everybody() { return *crowd_; }

 private:
  std::optional<crowd> crowd_;
};

inline auto all_crowds() {
  using enum member;
  return ::testing::Values(
      crowd_shape{"workers_of_one_server", 1, {worker}},
      crowd_shape{"workers_of_two_servers", 2, {worker}},
      crowd_shape{"workers_of_two_groups", 1, {worker, foreign_worker}},
      crowd_shape{"threads", 1, {thread}}, crowd_shape{"workers_and_threads", 1, {worker, thread}},
      crowd_shape{"in_blocking_regions", 1, {blocking_worker, worker}},
      crowd_shape{
          "all_kinds", 2, {worker, thread, blocking_worker, foreign_worker, basic_task, server}});
}

inline std::string crowd_name(const ::testing::TestParamInfo<crowd_shape>& shape) {
  return shape.param.name;
}

// How often, in a build as slow as this one.
constexpr int rounds(int in_release) { return in_release / slowness; }

// The seed of a test: the one that is asked for in UMCG_TEST_SEED, or another each time.
inline unsigned seed() {
  const char* asked = std::getenv("UMCG_TEST_SEED");
  const unsigned chosen = asked != nullptr ? static_cast<unsigned>(std::strtoul(asked, nullptr, 10))
                                           : std::random_device()();
  std::cout << "UMCG_TEST_SEED=" << chosen << '\n';
  return chosen;
}

// A deadline up to so far from now: for races with it.
inline deadline within(std::mt19937& random, std::chrono::microseconds most) {
  std::uniform_int_distribution<std::int64_t> duration(0, std::chrono::nanoseconds(most).count());
  return deadline::after(std::chrono::nanoseconds(duration(random)));
}

}  // namespace umcg::testing
