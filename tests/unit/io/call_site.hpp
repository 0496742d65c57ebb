// SPDX-License-Identifier: MIT
#pragma once

// Where the blocking calls of the io layer are made: on the workers of a group, over the reactors
// of its servers, or on plain threads. What is promised is the same, so the tests are the same.

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "umcg/body.hpp"
#include "umcg/group.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg::testing {

// Whether the kernel thread `id` sleeps: state S in its stat file.
inline bool asleep(const std::string& id) {
  std::ifstream file("/proc/self/task/" + id + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  return name_end != std::string::npos && line.compare(name_end, 3, ") S") == 0;
}

// So many servers, each on a reactor of that name; 0: plain threads.
struct site {
  unsigned servers;
  const char* reactor;
};

class call_site {
 public:
  explicit call_site(const site& of) {
    if (of.servers != 0) on_ = group::start({.servers = of.servers, .reactor = of.reactor});
  }
  ~call_site() { join(); }
  call_site(const call_site&) = delete;
  call_site& operator=(const call_site&) = delete;

  // Runs `work` beside the caller.
  void start(body work) {
    ++started_;
    if (on_) {
      workers_.push_back(on_->spawn([this, calls = std::move(work)]() mutable {
        ++entered_;
        calls();
      }));
    } else {
      threads_.emplace_back([this, calls = std::move(work)]() mutable {
        const std::string id = std::to_string(::syscall(SYS_gettid));
        {
          const std::lock_guard guard(mutex_);
          thread_ids_.push_back(id);
        }
        ++entered_;
        calls();
        const std::lock_guard guard(mutex_);
        std::erase(thread_ids_, id);
      });
    }
  }

  // Waits for all that was started.
  void join() {
    workers_.clear();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  void run(body work) {
    start(std::move(work));
    join();
  }

  // Returns when all that was started, and has not ended, is blocked.
  void wait_until_blocked() {
    EXPECT_TRUE(becomes_true([this] {
      if (entered_ != started_) return false;
      for (const std::string& id : on_ ? server_threads() : threads()) {
        if (!asleep(id)) return false;
      }
      return true;
    }));
  }

  group& workers() { return *on_; }

 private:
  static std::vector<std::string> server_threads() {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream file(entry.path() / "comm");
      std::string name;
      std::getline(file, name);
      if (name.starts_with("umcg-server-")) found.push_back(entry.path().filename());
    }
    return found;
  }

  std::vector<std::string> threads() {
    const std::lock_guard guard(mutex_);
    return thread_ids_;
  }

  std::optional<group> on_;
  std::vector<worker> workers_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::vector<std::string> thread_ids_;
  std::atomic<int> entered_ = 0;
  int started_ = 0;
};

// A test of the contract, at one site.
class site_test : public group_test, public ::testing::WithParamInterface<site> {
 protected:
  void SetUp() override {
    if (GetParam().servers != 0) {
      const std::string missing = why_no_group(GetParam().reactor);
      if (!missing.empty()) GTEST_SKIP() << missing;
    }
    site_.emplace(GetParam());
  }

  call_site& site() { return *site_; }

 private:
  std::optional<call_site> site_;
};

inline std::string site_name(const ::testing::TestParamInfo<site>& of) {
  if (of.param.servers == 0) return "threads";
  return std::string(of.param.reactor) + "_on_" + std::to_string(of.param.servers) +
         (of.param.servers == 1 ? "_server" : "_servers");
}

inline auto all_sites() {
  return ::testing::Values(site{0, ""}, site{1, "io_uring"}, site{2, "io_uring"}, site{1, "epoll"},
                           site{2, "epoll"});
}

}  // namespace umcg::testing
