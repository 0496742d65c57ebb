// SPDX-License-Identifier: MIT
#include "contract/harness.hpp"

#include <utility>

namespace contract {

void task_thread::start(std::function<umcg_tid()> enter, std::function<void()> body) {
  thread_ = std::make_unique<thread>([this, enter = std::move(enter), body = std::move(body)] {
    const umcg_tid self = umcg_get_utid();
    id_.store(self);
    EXPECT_EQ(enter(), self) << errno;
    body();
    EXPECT_EQ(umcg_unregister_task(), 0) << errno;
    has_ended_.store(true);
  });
  EXPECT_TRUE(eventually([this] { return id() != UMCG_NONE; }));
}

namespace {

// The worker with this tag is the last one that its server runs.
constexpr std::intptr_t last_one = -1;

void serve_until_last() {
  bool is_last = false;
  while (!is_last) {
    const umcg_tid idle = umcg_get_idle_worker(true);
    is_last = umcg_get_task_tag(idle) == last_one;
    umcg_run_worker(idle);
  }
}

}  // namespace

void group::serve(int servers) {
  for (int at = 0; at < servers; ++at) {
    servers_.push_back(std::make_unique<server>(id_, serve_until_last));
  }
}

void group::stop() {
  std::vector<std::unique_ptr<worker>> last;
  for (std::size_t at = 0; at < servers_.size(); ++at) {
    last.push_back(std::make_unique<worker>(
        id_, [] {}, last_one));
  }
  servers_.clear();
}

void run_until_gone(const worker& worker) {
  const std::uint64_t end = after(std::chrono::seconds(20));
  while (!worker.has_ended()) {
    ASSERT_LT(umcg_get_time_ns(), end) << "the worker does not come to its end";
    const umcg_tid idle = umcg_get_idle_worker_until(after(milliseconds(5)));
    if (idle != UMCG_NONE) umcg_run_worker(idle);
  }
}

}  // namespace contract
