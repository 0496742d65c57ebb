// SPDX-License-Identifier: MIT
// The preemption signal beside the signals of others: whose it is, what the system refuses, and
// what a carrier keeps. Each test needs a process in which nobody has preempted before.
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

#include "kernel/usermode/watch.hpp"
#include "sanitizer.hpp"
#include "umcg/hand_off.hpp"
#include "umcg/libumcg.h"

namespace umcg {
namespace {

int preemption_signal() { return SIGRTMIN + 3; }

// Returns whether the body does in a child; it says itself what was wrong. Nobody is watched there:
// a worker that loses its server, as in an emulator's own sleep, is not to be preempted (EAGAIN).
bool holds_in_child(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    kernel::usermode::configure_watching({.watch = "off"});
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

class preemption : public ::testing::Test {
  void SetUp() override {
    if (testing::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer allows no threads after fork";
  }
};

// A group with a worker that computes until it is told to stop; the caller is its server.
class busy_worker {
 public:
  busy_worker() : group_(umcg_create_group(UMCG_GROUP_ENABLE_PREEMPTION)) {
    thread_ = std::thread([this] {
      umcg_register_worker(group_, 0);
      while (!stop_.load()) turns_.fetch_add(1);
      umcg_unregister_task();
    });
  }
  busy_worker(const busy_worker&) = delete;
  busy_worker& operator=(const busy_worker&) = delete;
  ~busy_worker() {
    thread_.join();
    umcg_destroy_group(group_);
  }

  umcg_t group() const { return group_; }
  void stop() { stop_.store(true); }
  void await_turn() const {
    for (const long before = turns_.load(); turns_.load() == before;) std::this_thread::yield();
  }

 private:
  umcg_t group_;
  std::atomic<bool> stop_{false};
  std::atomic<long> turns_{0};
  std::thread thread_;
};

umcg_stop run(umcg_tid worker) {
  umcg_stop why = UMCG_STOP_NONE;
  umcg_run_worker_why(worker, &why);
  return why;
}

std::atomic<int> foreign{0};
void count_foreign(int /*signal*/) { foreign.fetch_add(1); }

TEST_F(preemption, PassesOnWhatIsNotItsOwn) {
  EXPECT_TRUE(holds_in_child([] {
    struct sigaction action {};
    action.sa_handler = count_foreign;
    ::sigaction(preemption_signal(), &action, nullptr);
    const umcg_t group = umcg_create_group(UMCG_GROUP_ENABLE_PREEMPTION);
    ::raise(preemption_signal());
    ::pthread_kill(::pthread_self(), preemption_signal());
    ::sigqueue(::getpid(), preemption_signal(), {});
    return foreign.load() == 3 && umcg_destroy_group(group) == 0;
  }));
}

bool limit_queued_signals(rlim_t most, rlimit& before) {
  if (::getrlimit(RLIMIT_SIGPENDING, &before) != 0) return false;
  const rlimit limited{most, before.rlim_max};
  return ::setrlimit(RLIMIT_SIGPENDING, &limited) == 0;
}

TEST_F(preemption, IsAskedForAgainWhenTheSystemHasRefused) {
  EXPECT_TRUE(holds_in_child([] {
    busy_worker busy;
    umcg_register_server(busy.group(), 0);
    const umcg_tid worker = umcg_get_idle_worker(true);
    bool was_refused = false;
    std::thread asker([&] {
      busy.await_turn();
      rlimit before{};
      if (!limit_queued_signals(0, before)) return;
      was_refused = umcg_preempt_worker(worker) == -1 && errno == EAGAIN;
      ::setrlimit(RLIMIT_SIGPENDING, &before);
      if (umcg_preempt_worker(worker) != 0) busy.stop();
    });
    const bool was_preempted = run(worker) == UMCG_STOP_PREEMPTED;
    asker.join();
    busy.stop();
    run(umcg_get_idle_worker(true));
    umcg_unregister_task();
    return was_refused && was_preempted;
  }));
}

// A server thread with a signal mask and an alternate stack of its own.
class marked_carrier {
 public:
  explicit marked_carrier(int blocked) {
    stack_t own{};
    own.ss_sp = alternate_.data();
    own.ss_size = alternate_.size();
    ::sigaltstack(&own, nullptr);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, blocked);
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    blocked_ = blocked;
  }
  ~marked_carrier() {
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
  }
  marked_carrier(const marked_carrier&) = delete;
  marked_carrier& operator=(const marked_carrier&) = delete;

  bool is_unchanged(int other) const {
    stack_t now{};
    ::sigaltstack(nullptr, &now);
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return now.ss_sp == alternate_.data() && sigismember(&mask, blocked_) == 1 &&
           sigismember(&mask, other) == 0;
  }

 private:
  std::array<std::byte, 65536> alternate_;
  int blocked_;
};

TEST_F(preemption, LeavesACarrierItsMaskAndItsAlternateStack) {
  EXPECT_TRUE(holds_in_child([] {
    busy_worker busy;
    std::binary_semaphore was_preempted{0};
    std::atomic<int> unchanged{0};
    umcg_tid worker = UMCG_NONE;
    std::thread first([&] {
      const marked_carrier mine(SIGUSR1);
      umcg_register_server(busy.group(), 0);
      worker = umcg_get_idle_worker(true);
      std::thread asker([&] {
        busy.await_turn();
        umcg_preempt_worker(worker);
      });
      run(worker);
      worker = umcg_get_idle_worker(true);
      asker.join();
      umcg_unregister_task();
      unchanged.fetch_add(mine.is_unchanged(SIGUSR2) ? 1 : 0);
      was_preempted.release();
    });
    std::thread second([&] {
      const marked_carrier mine(SIGUSR2);
      umcg_register_server(busy.group(), 0);
      was_preempted.acquire();
      busy.stop();
      run(worker);
      umcg_unregister_task();
      unchanged.fetch_add(mine.is_unchanged(SIGUSR1) ? 1 : 0);
    });
    first.join();
    second.join();
    return unchanged.load() == 2;
  }));
}

}  // namespace
}  // namespace umcg
