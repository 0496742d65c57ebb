// SPDX-License-Identifier: MIT
// Workers that block without saying so, over a fake kernel that notices.
#include "kernel/native/native_half.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/futex.hpp"
#include "libumcg/membership.hpp"
#include "libumcg/scheduling.hpp"
#include "sanitizer.hpp"
#include "umcg/libumcg.h"
#include "unit/kernel/native/fake_kernel.hpp"

namespace umcg::kernel::native {
namespace {

testing::fake_kernel& machine() {
  static auto& made = *new testing::fake_kernel;
  return made;
}

libumcg::half& the_half() {
  static libumcg::half* const made = [] {
    std::string problem;
    libumcg::half* half = make_native_half(machine(), problem);
    EXPECT_EQ(problem, "");
    return half;
  }();
  return *made;
}

// A group for the C interface, over this half.
class test_group {
 public:
  ~test_group() { EXPECT_EQ(group_.members.load(), 0); }
  umcg_t id() { return reinterpret_cast<umcg_t>(&group_); }
  libumcg::group& operator*() { return group_; }

 private:
  libumcg::group group_{true, the_half()};
};

class registered_server {
 public:
  explicit registered_server(test_group& group) {
    EXPECT_NE(umcg_register_server(group.id(), 0), 0);
  }
  ~registered_server() { EXPECT_EQ(umcg_unregister_task(), 0); }
  registered_server(const registered_server&) = delete;
  registered_server& operator=(const registered_server&) = delete;
};

class worker {
 public:
  worker(test_group& group, std::function<void()> body)
      : thread_([this, &group, body = std::move(body)] {
          id_.store(umcg_get_utid());
          base::futex_wake(started_);
          EXPECT_NE(umcg_register_worker(group.id(), 0), 0);
          body();
          EXPECT_EQ(umcg_unregister_task(), 0);
        }) {
    while (id() == 0) base::give_way();
  }
  ~worker() { join(); }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  umcg_tid id() const { return id_.load(); }
  pthread_t handle() { return thread_.native_handle(); }

 private:
  std::atomic<umcg_tid> id_{0};
  std::atomic<std::uint32_t> started_{0};
  std::thread thread_;
};

struct outcome {
  umcg_tid worker;
  umcg_stop why;
  bool operator==(const outcome&) const = default;
};

// Sleeps until there is an idle worker, and runs it.
outcome run_next() {
  outcome result{};
  result.worker = umcg_run_worker_why(umcg_get_idle_worker(true), &result.why);
  return result;
}

const outcome unregistered{UMCG_NONE, UMCG_STOP_UNREGISTERED};

std::uint64_t flags_of(umcg_tid task) { return umcg_get_task_state(task); }

void wait_for(const std::function<bool()>& holds) {
  while (!holds()) base::give_way();
}

// A system call that blocks until it is told otherwise.
class blocking_call {
 public:
  bool operator()() {
    return machine().sleep_while([this] {
      inside_.store(true);
      while (over_.load() == 0) base::futex_wait(over_, 0);
    });
  }
  bool entered() const { return inside_.load(); }
  void end() { base::set_and_wake(over_); }

 private:
  std::atomic<bool> inside_{false};
  std::atomic<std::uint32_t> over_{0};
};

TEST(native_half, AWorkerThatBlocksGivesItsServerBack) {
  test_group group;
  blocking_call call;
  worker one(group, [&] {
    EXPECT_TRUE(call());
    EXPECT_TRUE(machine().sleep_while([] {}));  // the next one as well
  });
  const registered_server self(group);
  EXPECT_EQ(run_next(), (outcome{one.id(), UMCG_STOP_BLOCKED}));
  EXPECT_EQ(flags_of(one.id()), std::uint64_t{UMCG_TASK_BLOCKED});
  EXPECT_EQ(umcg_get_idle_worker(false), UMCG_NONE);
  EXPECT_EQ(umcg_run_worker(one.id()), UMCG_NONE);
  EXPECT_EQ(errno, EBUSY);
  // Ends while the server sleeps without a deadline.
  std::thread ender([&] {
    wait_for([&] { return (*group).parked.count() == 1; });
    call.end();
  });
  EXPECT_EQ(run_next(), (outcome{one.id(), UMCG_STOP_BLOCKED}));
  EXPECT_EQ(run_next(), unregistered);
  ender.join();
}

TEST(native_half, AWakeOfABlockedWorkerIsKept) {
  test_group group;
  blocking_call call;
  worker one(group, [&] {
    EXPECT_TRUE(call());
    EXPECT_EQ(umcg_wait(0), 0);
  });
  const registered_server self(group);
  EXPECT_EQ(run_next(), (outcome{one.id(), UMCG_STOP_BLOCKED}));
  EXPECT_EQ(umcg_wake(one.id(), false), 0);
  EXPECT_EQ(umcg_preempt_worker(one.id()), -1);
  EXPECT_EQ(errno, EAGAIN);
  call.end();
  EXPECT_EQ(run_next(), unregistered);
}

// It goes on where the kernel stopped it, and who swapped to it has departed all the same.
TEST(native_half, SwappingToAWorkerThatTheKernelStopped) {
  test_group group;
  std::vector<int> order;
  worker stopped(group, [&] {
    EXPECT_TRUE(machine().sleep_while([] {}));
    order.push_back(2);
  });
  const registered_server self(group);
  EXPECT_EQ(run_next(), (outcome{stopped.id(), UMCG_STOP_BLOCKED}));
  EXPECT_EQ(umcg_get_idle_worker(true), stopped.id());
  worker swapping(group, [&] {
    order.push_back(1);
    EXPECT_EQ(umcg_swap(stopped.id(), 0), 0);
    order.push_back(3);
  });
  EXPECT_EQ(run_next(), unregistered);  // the last of the two
  EXPECT_EQ(flags_of(swapping.id()), std::uint64_t{UMCG_TASK_IDLE | UMCG_TF_WAITING});
  EXPECT_EQ(umcg_wake(swapping.id(), false), 0);
  EXPECT_EQ(run_next(), unregistered);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

// And one that blocks right after somebody swapped to it is the one that is reported.
TEST(native_half, TheLastOfThoseThatSwappedIsReported) {
  test_group group;
  blocking_call call;
  worker first(group, [&] {
    EXPECT_EQ(umcg_wait(0), 0);
    EXPECT_TRUE(call());
  });
  const registered_server self(group);
  EXPECT_EQ(run_next(), (outcome{first.id(), UMCG_STOP_WAITED}));
  worker second(group, [&] { EXPECT_EQ(umcg_swap(first.id(), 0), 0); });
  EXPECT_EQ(run_next(), (outcome{first.id(), UMCG_STOP_BLOCKED}));
  call.end();
  EXPECT_EQ(run_next(), unregistered);
  EXPECT_EQ(umcg_wake(second.id(), false), 0);
  EXPECT_EQ(run_next(), unregistered);
}

// Workers of one server follow each other directly. One of them goes on in the middle of its code
// and cannot say for the one before it that it has gone: the server does.
TEST(native_half, FollowingAWorkerDirectly) {
  test_group group;
  std::vector<std::unique_ptr<worker>> workers;
  std::atomic<int> left{3};
  for (int at = 0; at < 3; ++at) {
    workers.push_back(std::make_unique<worker>(group, [&] {
      EXPECT_TRUE(machine().sleep_while([] {}));
      {
        const libumcg::preempt_guard guard(libumcg::current_task);
        libumcg::depart(*libumcg::current_task, libumcg::stop::yielded);
      }
      EXPECT_TRUE(machine().sleep_while([] {}));
      left.fetch_sub(1);
    }));
  }
  const registered_server self(group);
  std::array<umcg_tid, 3> taken{};
  for (umcg_tid& each : taken) each = umcg_get_idle_worker(true);
  for (const umcg_tid each : taken) EXPECT_EQ(umcg_run_worker(each), each);
  for (const umcg_tid each : taken) {
    wait_for([each] { return (flags_of(each) & UMCG_TF_LISTED) != 0; });
  }
  int runs = 0;
  while (left.load() > 0) {
    const umcg_tid next = umcg_get_idle_worker(true);
    libumcg::current_task->serving->direct_runs = 8;
    umcg_run_worker(next);
    ++runs;
  }
  EXPECT_LT(runs, 9);  // some came without the server
  libumcg::current_task->serving->direct_runs = 0;
}

// It has been handed the departure of another that it is to commit, and will.
TEST(native_half, StoppedOnTheWayIn) {
  test_group group;
  worker first(group, [&] {
    EXPECT_EQ(umcg_wait(0), 0);
    EXPECT_EQ(umcg_wait(0), 0);
  });
  const registered_server self(group);
  EXPECT_EQ(run_next(), (outcome{first.id(), UMCG_STOP_WAITED}));
  worker second(group, [&] {
    machine().fault_on_return(1);
    EXPECT_EQ(umcg_swap(first.id(), 0), 0);
  });
  EXPECT_EQ(run_next(), (outcome{first.id(), UMCG_STOP_BLOCKED}));
  EXPECT_EQ(umcg_wake(second.id(), false), 0);  // which is on its way still
  EXPECT_EQ(run_next(), (outcome{first.id(), UMCG_STOP_WAITED}));
  EXPECT_EQ(run_next(), unregistered);
  EXPECT_EQ(umcg_wake(first.id(), false), 0);
  EXPECT_EQ(run_next(), unregistered);
}

// A worker that commits another's end wakes it, for which it needs the place where its own server
// stands named.
TEST(native_half, FollowingAWorkerThatUnregisters) {
  test_group group;
  worker first(group, [] {});
  worker second(group, [] {
    machine().tick();
    EXPECT_TRUE(machine().sleep_while([] {}));
  });
  const registered_server self(group);
  std::array<umcg_tid, 2> taken{umcg_get_idle_worker(true), umcg_get_idle_worker(true)};
  if (taken[0] != first.id()) std::swap(taken[0], taken[1]);
  // The second is in this server's own queue now, from which a worker is followed.
  libumcg::task& waiting = *libumcg::find_task(taken[1]).who;
  waiting.state.unhold();
  libumcg::current_task->serving->queue.push(waiting);
  libumcg::current_task->serving->direct_runs = 1;
  umcg_stop why = UMCG_STOP_NONE;
  EXPECT_EQ(umcg_run_worker_why(taken[0], &why), second.id());
  EXPECT_EQ(why, UMCG_STOP_BLOCKED);
  EXPECT_EQ(libumcg::current_task->serving->direct_runs, 0U);
  EXPECT_EQ(run_next(), unregistered);
}

// What the kernel would otherwise hold it with are the locks that its server needs.
TEST(native_half, LibraryCodeIsNotStopped) {
  test_group group;
  worker one(group, [&] {
    {
      const libumcg::preempt_guard library(libumcg::current_task);
      EXPECT_FALSE(machine().sleep_while([] {}));
      const libumcg::preempt_guard deeper(libumcg::current_task);
      EXPECT_FALSE(machine().sleep_while([] {}));
    }
    machine().tick();
    EXPECT_TRUE(machine().sleep_while([] {}));
    umcg_block_begin();
    EXPECT_FALSE(machine().sleep_while([] {}));  // its server has gone already
    umcg_block_end();
    EXPECT_TRUE(machine().sleep_while([] {}));
  });
  const registered_server self(group);
  for (int stops = 0; stops < 3; ++stops) EXPECT_EQ(run_next().why, UMCG_STOP_BLOCKED);
  EXPECT_EQ(run_next(), unregistered);
}

void serve_until(const std::atomic<bool>& stop) {
  while (!stop.load()) {
    const umcg_tid idle = umcg_get_idle_worker_until(umcg_get_time_ns() + 1'000'000);
    if (idle != UMCG_NONE) umcg_run_worker(idle);
  }
}

class serving_threads {
 public:
  serving_threads(test_group& group, int count) {
    for (int at = 0; at < count; ++at) {
      threads_.emplace_back([this, &group] {
        const registered_server self(group);
        serve_until(stop_);
      });
    }
  }
  ~serving_threads() {
    stop_.store(true);
    for (auto& each : threads_) each.join();
  }
  serving_threads(const serving_threads&) = delete;
  serving_threads& operator=(const serving_threads&) = delete;

 private:
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

constexpr int slower = testing::instrumented ? 10 : 1;

// The worker is back before its server has taken note.
TEST(native_half, SleepsThatEndAtOnce) {
  test_group group;
  const serving_threads servers(group, 3);
  const int before = machine().blocks();
  constexpr int rounds = 2'000 / slower;
  std::array<std::atomic<int>, 4> inside{};
  std::vector<std::unique_ptr<worker>> workers;
  for (auto& mine : inside) {
    workers.push_back(std::make_unique<worker>(group, [&mine] {
      for (int left = rounds; left > 0; --left) {
        EXPECT_TRUE(machine().sleep_while([] {}));
        EXPECT_EQ(mine.fetch_add(1), 0);
        mine.fetch_sub(1);
      }
    }));
  }
  for (auto& each : workers) each->join();
  EXPECT_EQ(machine().blocks() - before, 4 * rounds);
}

int status_of_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(native_half, AForkedChildHasAnIdleListOfItsOwn) {
  if (testing::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer allows no threads after fork";
  const int made_a_thread = status_of_child([] {
    std::thread([] {}).join();
    return 0;
  });
  if (made_a_thread != 0) GTEST_SKIP() << "this emulator allows no threads after fork";
  the_half();
  const int status = status_of_child([] {
    test_group group;
    bool seen = false;
    worker one(group, [&] { seen = machine().sleep_while([] {}); });
    bool in_order;
    {
      const registered_server self(group);
      in_order = run_next().why == UMCG_STOP_BLOCKED && run_next() == unregistered;
    }
    one.join();
    return seen && in_order ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

void fault_or_lose_the_cpu(int /*signal*/) {
  static std::atomic<unsigned> turns{0};
  const unsigned turn = turns.fetch_add(1);
  // A signal that waited while the worker did comes when library code runs: mostly not those, the
  // kernel would hardly ever see the worker.
  const libumcg::task* self = libumcg::current_task;
  if (self == nullptr || (self->preempt_off.depth() != 0 && turn % 16 != 0)) return;
  if (turn % 3 == 0) {
    machine().tick();
  } else {
    machine().page_fault();
  }
}

void work_at_random(std::array<std::atomic<umcg_tid>, 4>& ids, std::size_t me,
                    const std::atomic<bool>& stop) {
  ids[me].store(umcg_get_utid());
  std::minstd_rand source(static_cast<unsigned>(me) + 1);
  const auto random = [&source](unsigned bound) { return static_cast<unsigned>(source()) % bound; };
  const auto soon = [&random] { return umcg_get_time_ns() + random(30'000); };
  while (!stop.load()) {
    const umcg_tid other = ids[random(4)].load();
    switch (random(6)) {
      case 0:
        umcg_wait(soon());
        break;
      case 1:
        if (other != UMCG_NONE) umcg_wake(other, false);
        break;
      case 2:
        if (other != UMCG_NONE) umcg_swap(other, soon());
        break;
      case 3:
        umcg_block_begin();
        umcg_block_end();
        break;
      default:
        // Long enough for a signal to come here: in umcg_wait it waits.
        for (std::atomic<int> turns = 3'000; turns > 0;) --turns;
    }
  }
}

// Workers do all that a worker can while page faults and ticks hit them at any instruction: also
// between two of the library's. A fault with a lock of the scheduler in hand would end all of it,
// and the fake sees every state that the kernel would.
TEST(native_half, FaultsAnywhere) {
  const int signal = SIGUSR2;  // many that wait are one
  struct sigaction action {};
  action.sa_handler = fault_or_lose_the_cpu;
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
  const int enough = machine().blocks() + 1'000 / slower;
  machine().wake_early(true);
  test_group group;
  const serving_threads servers(group, 2);
  std::array<std::atomic<umcg_tid>, 4> ids{};
  std::atomic<bool> stop{false};
  std::vector<std::unique_ptr<worker>> workers;
  for (std::size_t at = 0; at < ids.size(); ++at) {
    workers.push_back(std::make_unique<worker>(group, [&, at] { work_at_random(ids, at, stop); }));
  }
  std::minstd_rand source(1);
  while (machine().blocks() < enough) {
    ::pthread_kill(workers[source() % 4]->handle(), signal);
    base::give_way();
  }
  stop.store(true);
  for (auto& each : workers) each->join();
  machine().wake_early(false);
}

}  // namespace
}  // namespace umcg::kernel::native
