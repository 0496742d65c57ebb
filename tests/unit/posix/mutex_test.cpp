// SPDX-License-Identifier: MIT

// Mutexes of the C and C++ libraries between workers and threads, in a program that has opted in.
// A call that is lost is a test that hangs: none of the waits that are to end has a deadline.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <numeric>
#include <type_traits>

#include "umcg/cancellation.hpp"
#include "umcg/deadline_scope.hpp"
#include "umcg/diagnosis.hpp"
#include "umcg/posix.hpp"
#include "umcg/sync.hpp"
#include "unit/diagnosis/mutex_circle.hpp"
#include "unit/sync/crowd.hpp"

// Unlocks that have to fail are asked for; ThreadSanitizer would report each.
extern "C" const char* __tsan_default_options() { return "report_mutex_bugs=0"; }

namespace umcg::posix {
namespace {

using std::chrono::microseconds;
using testing::rounds;

class posix_mutexes : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, posix_mutexes, testing::all_crowds(), testing::crowd_name);

// ThreadSanitizer does not know pthread_mutex_clocklock, which other clocks need.
using clock_known = std::conditional_t<testing::thread_sanitizer, std::chrono::system_clock,
                                       std::chrono::steady_clock>;

// Two numbers that are equal whenever nobody is inside.
struct pair_of_counts {
  long first = 0;
  long second = 0;
  void increment() {
    EXPECT_EQ(first, second);
    ++first;
    yield();
    ++second;
  }
};

TEST_P(posix_mutexes, let_one_in_at_a_time) {
  constexpr int members = 12;
  const int each = rounds(500);
  std::mutex guards;
  pair_of_counts inside;
  for (int i = 0; i < members; ++i) {
    everybody().start([&] {
      for (int round = 0; round < each; ++round) {
        const std::lock_guard lock(guards);
        inside.increment();
      }
    });
  }
  everybody().join();
  EXPECT_EQ(inside.first, static_cast<long>(members) * each);
  EXPECT_EQ(inside.second, inside.first);
}

TEST_P(posix_mutexes, recursive_ones_are_free_after_the_last_unlocking) {
  constexpr int members = 8;
  const int each = rounds(300);
  std::recursive_mutex guards;
  pair_of_counts inside;
  for (int i = 0; i < members; ++i) {
    everybody().start([&] {
      for (int round = 0; round < each; ++round) {
        const std::lock_guard outer(guards);
        {
          const std::lock_guard inner(guards);
          yield();
        }
        inside.increment();
      }
    });
  }
  everybody().join();
  EXPECT_EQ(inside.first, static_cast<long>(members) * each);
}

TEST_P(posix_mutexes, deadlines_are_never_early) {
  std::timed_mutex guards;
  const std::lock_guard lock(guards);
  for (int i = 0; i < 6; ++i) {
    everybody().start([&guards, i] {
      const auto soon = std::chrono::milliseconds(2);
      if (i % 2 == 0) {
        const auto until = std::chrono::steady_clock::now() + soon;
        EXPECT_FALSE(guards.try_lock_until(until));
        EXPECT_GE(std::chrono::steady_clock::now(), until);
      } else {
        const auto until = std::chrono::system_clock::now() + soon;
        EXPECT_FALSE(guards.try_lock_until(until));
        EXPECT_GE(std::chrono::system_clock::now(), until);
      }
    });
  }
  everybody().join();
}

TEST_P(posix_mutexes, limits_are_those_of_the_c_library) {
  pthread_mutex_t guards = PTHREAD_MUTEX_INITIALIZER;
  const timespec long_ago{};
  const timespec never{.tv_sec = INT64_MAX, .tv_nsec = 0};
  const timespec no_time{.tv_sec = 0, .tv_nsec = -1};
  everybody().run([&] {
    EXPECT_EQ(::pthread_mutex_timedlock(&guards, &long_ago), 0) << "it is free";
    EXPECT_EQ(::pthread_mutex_unlock(&guards), 0);
  });
  ::pthread_mutex_lock(&guards);
  everybody().run([&] {
    EXPECT_EQ(::pthread_mutex_timedlock(&guards, &long_ago), ETIMEDOUT);
    EXPECT_EQ(::pthread_mutex_clocklock(&guards, CLOCK_MONOTONIC, &long_ago), ETIMEDOUT);
    EXPECT_EQ(::pthread_mutex_timedlock(&guards, &no_time), EINVAL);
    EXPECT_EQ(::pthread_mutex_clocklock(&guards, CLOCK_PROCESS_CPUTIME_ID, &never), EINVAL);
  });
  everybody().start([&] {
    EXPECT_EQ(::pthread_mutex_clocklock(&guards, CLOCK_MONOTONIC, &never), 0);
    EXPECT_EQ(::pthread_mutex_unlock(&guards), 0);
  });
  ::pthread_mutex_unlock(&guards);
  everybody().join();
  EXPECT_EQ(::pthread_mutex_destroy(&guards), 0);
}

// True exactly if it is locked: otherwise the count is wrong, or somebody waits for ever.
TEST_P(posix_mutexes, survive_races_with_deadlines) {
  constexpr int members = 12;
  const int each = rounds(300);
  const unsigned seed = testing::seed();
  std::timed_mutex guards;
  pair_of_counts inside;
  std::atomic<long> entered = 0;
  for (unsigned i = 0; i < members; ++i) {
    everybody().start([&, i] {
      std::mt19937 random(seed + i);
      for (int round = 0; round < each; ++round) {
        if (random() % 4 == 0) {
          guards.lock();
        } else if (!guards.try_lock_until(clock_known::now() + microseconds(random() % 30))) {
          continue;
        }
        ++entered;
        inside.increment();
        guards.unlock();
        if (random() % 8 == 0) yield();
      }
    });
  }
  everybody().join();
  EXPECT_EQ(inside.first, entered);
  EXPECT_TRUE(guards.try_lock());
  guards.unlock();
}

TEST_P(posix_mutexes, are_destroyed_by_the_next_owner) {
  for (int round = 0; round < rounds(300); ++round) {
    auto guards = std::make_unique<std::mutex>();
    guards->lock();
    std::atomic<int> uses = 2;
    const auto use = [&uses, each = guards.get()] {
      each->lock();
      const bool last = --uses == 0;
      each->unlock();
      if (last) delete each;
    };
    std::mutex* const shared = guards.release();
    everybody().start(use);
    everybody().start(use);
    shared->unlock();
    everybody().join();
  }
}

class posix_locks : public testing::group_test {};

TEST_F(posix_locks, are_waited_for_in_lines) { EXPECT_STREQ(posix_locks_problem(), nullptr); }

// Nobody watches for workers that block: if one did, this would hang. All wait at once; then each
// keeps the mutex over a wait of its own.
TEST_F(posix_locks, block_no_kernel_thread) {
  constexpr std::uint64_t members = 200;
  group on = group::start({.servers = 1, .hand_off = {.watch = "off"}});
  std::mutex guards;
  long count = 0;
  guards.lock();
  std::vector<worker> workers;
  for (std::uint64_t i = 0; i < members; ++i) {
    workers.push_back(on.spawn([&] {
      const std::lock_guard lock(guards);
      sleep_until(deadline::after(microseconds(10)));
      ++count;
    }));
  }
  EXPECT_TRUE(testing::becomes_true(
      [&] { return on.counters().blocks_for(wait_reason::pthread_mutex) >= members; }));
  guards.unlock();
  for (worker& each : workers) each.join();
  EXPECT_EQ(count, members);
  const counters seen = on.counters();
  EXPECT_EQ(std::accumulate(seen.handoffs.begin(), seen.handoffs.end(), std::uint64_t{0}), 0U);
  EXPECT_EQ(seen.blocks_for(wait_reason::sleep), members);
}

// Who locks again and again keeps no other worker out, though nothing makes it wait.
TEST_F(posix_locks, starve_no_worker) {
  group on = group::start({.servers = 2});
  std::mutex guards;
  std::atomic<int> ready = 0;
  std::vector<worker> workers;
  for (int i = 0; i < 4; ++i) {
    workers.push_back(on.spawn([&] {
      while (ready.load() < 4) {
        const std::lock_guard lock(guards);
        yield();
      }
    }));
  }
  for (int i = 0; i < 4; ++i) {
    workers.push_back(on.spawn([&] {
      for (int round = 0; round < rounds(100); ++round) {
        const std::lock_guard lock(guards);
        yield();
      }
      ++ready;
    }));
  }
  for (worker& each : workers) each.join();
}

// What others have woken it for is there after the lock, once; and nothing else is.
TEST_F(posix_locks, keep_a_workers_own_wakes) {
  group on = group::start({.servers = 1});
  std::mutex guards;
  std::atomic<umcg_tid> id = UMCG_NONE;
  guards.lock();
  worker one = on.spawn([&] {
    id = umcg_get_utid();
    guards.lock();
    guards.unlock();
    EXPECT_EQ(umcg_wait(0), 0);
    EXPECT_EQ(umcg_wait(umcg_get_time_ns() + 1000), -1);
    EXPECT_EQ(errno, ETIMEDOUT);
  });
  EXPECT_TRUE(testing::becomes_true(
      [&] { return on.counters().blocks_for(wait_reason::pthread_mutex) == 1; }));
  EXPECT_EQ(umcg_wake(id, false), 0);
  EXPECT_TRUE(testing::becomes_true(
      [&] { return on.counters().blocks_for(wait_reason::pthread_mutex) == 2; }));
  guards.unlock();
  one.join();
}

TEST_F(posix_locks, are_not_ended_by_scopes) {
  group on = group::start({.servers = 1});
  std::mutex guards;
  guards.lock();
  worker one = on.spawn([&] {
    cancellation_source source;
    source.cancel();
    const cancellation_scope cancelled(source.token());
    const deadline_scope passed(testing::long_ago());
    const std::lock_guard lock(guards);
  });
  EXPECT_TRUE(testing::becomes_true(
      [&] { return on.counters().blocks_for(wait_reason::pthread_mutex) == 1; }));
  guards.unlock();
  one.join();
}

TEST_F(posix_locks, name_their_owner_in_a_dump) {
  group on = group::start({.servers = 1});
  std::mutex guards;
  sync::event over;
  worker owner = on.spawn(
      [&] {
        const std::lock_guard lock(guards);
        over.wait();
      },
      {.name = "owner"});
  EXPECT_TRUE(
      testing::becomes_true([&] { return on.counters().blocks_for(wait_reason::gate) == 1; }));
  worker other = on.spawn([&] { const std::lock_guard lock(guards); }, {.name = "other"});
  EXPECT_TRUE(testing::becomes_true(
      [&] { return on.counters().blocks_for(wait_reason::pthread_mutex) == 1; }));
  const std::string dump = diagnosis::dump_workers();
  over.set();
  const std::size_t line = dump.find("\"other\": pthread mutex 0x");
  ASSERT_NE(line, std::string::npos) << dump;
  const std::string said = dump.substr(line, dump.find('\n', line) - line);
  EXPECT_NE(said.find(" owned by worker "), std::string::npos) << said;
  EXPECT_NE(said.find(" \"owner\""), std::string::npos) << said;
}

pthread_mutex_t made(int kind, int shared, int robust) {
  pthread_mutexattr_t attributes;
  pthread_mutex_t mutex;
  ::pthread_mutexattr_init(&attributes);
  EXPECT_EQ(::pthread_mutexattr_settype(&attributes, kind), 0);
  EXPECT_EQ(::pthread_mutexattr_setpshared(&attributes, shared), 0);
  EXPECT_EQ(::pthread_mutexattr_setrobust(&attributes, robust), 0);
  EXPECT_EQ(::pthread_mutex_init(&mutex, &attributes), 0);
  ::pthread_mutexattr_destroy(&attributes);
  return mutex;
}

// Those that are left to the C library: contended, with one server, which is handed off.
TEST_F(posix_locks, of_other_kinds_work_too) {
  group on = group::start({.servers = 1});
  std::array all{
      made(PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_SHARED, PTHREAD_MUTEX_STALLED),
      made(PTHREAD_MUTEX_NORMAL, PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_STALLED),
  };
  for (pthread_mutex_t& guards : all) {
    std::vector<worker> workers;
    for (int i = 0; i < 4; ++i) {
      workers.push_back(on.spawn([&] {
        EXPECT_EQ(::pthread_mutex_lock(&guards), 0);
        sleep_until(deadline::after(microseconds(200)));
        EXPECT_EQ(::pthread_mutex_unlock(&guards), 0);
      }));
    }
    for (worker& each : workers) each.join();
  }
  on.stop();
  for (pthread_mutex_t& each : all) EXPECT_EQ(::pthread_mutex_destroy(&each), 0);
}

// In a line, like the usual ones: nobody watches for workers that block.
TEST_F(posix_locks, that_check_errors_do_so_among_those_who_wait) {
  constexpr std::uint64_t members = 20;
  group on = group::start({.servers = 1, .hand_off = {.watch = "off"}});
  pthread_mutex_t guards =
      made(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PROCESS_PRIVATE, PTHREAD_MUTEX_STALLED);
  EXPECT_EQ(::pthread_mutex_lock(&guards), 0);
  std::vector<worker> workers;
  for (std::uint64_t i = 0; i < members; ++i) {
    workers.push_back(on.spawn([&guards] {
      const timespec long_ago{};
      EXPECT_EQ(::pthread_mutex_unlock(&guards), EPERM);
      EXPECT_EQ(::pthread_mutex_timedlock(&guards, &long_ago), ETIMEDOUT);
      EXPECT_EQ(::pthread_mutex_lock(&guards), 0);
      yield();
      EXPECT_EQ(::pthread_mutex_trylock(&guards), EBUSY);
      EXPECT_EQ(::pthread_mutex_lock(&guards), EDEADLK);
      EXPECT_EQ(::pthread_mutex_timedlock(&guards, &long_ago), EDEADLK);
      EXPECT_EQ(::pthread_mutex_unlock(&guards), 0);
    }));
  }
  EXPECT_TRUE(testing::becomes_true(
      [&] { return on.counters().blocks_for(wait_reason::pthread_mutex) >= members; }));
  EXPECT_EQ(::pthread_mutex_unlock(&guards), 0);
  for (worker& each : workers) each.join();
  EXPECT_EQ(::pthread_mutex_destroy(&guards), 0);
}

// In the child nobody waits, and nobody is called.
TEST_F(posix_locks, are_free_of_workers_in_a_child) {
  group on = group::start({.servers = 1});
  std::mutex guards;
  guards.lock();
  worker one = on.spawn([&] { const std::lock_guard lock(guards); });
  EXPECT_TRUE(testing::becomes_true(
      [&] { return on.counters().blocks_for(wait_reason::pthread_mutex) == 1; }));
  const pid_t child = ::fork();
  if (child == 0) {
    for (int i = 0; i < 3; ++i) {
      guards.unlock();
      guards.lock();
    }
    ::_exit(7);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
  guards.unlock();
  one.join();
}

// Who owns a mutex that workers wait for in a line is known to the hint.
TEST_F(posix_locks, in_a_circle_are_a_deadlock_that_is_named) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(testing::lock_in_a_circle<std::mutex>(), ::testing::ExitedWithCode(0),
              testing::circle_of_one_and_other);
}

}  // namespace
}  // namespace umcg::posix
