// SPDX-License-Identifier: MIT
// Mutexes that know their owner. The C library takes the thread id in the TCB for it: a worker is
// the owner wherever it runs, and the next worker on the same kernel thread is not. A worker that
// waits for another's mutex would stop its server, so the others only try.
#include <pthread.h>

#include <array>
#include <cerrno>
#include <memory>
#include <mutex>

#include "identity/migration.hpp"

// An unlock that has to fail is what these tests ask for; ThreadSanitizer would report each.
extern "C" const char* __tsan_default_options() { return "report_mutex_bugs=0"; }

namespace umcg::identity {
namespace {

constexpr int rounds = 20;

class pthread_mutex {
 public:
  explicit pthread_mutex(int kind) {
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    EXPECT_EQ(::pthread_mutexattr_settype(&attributes, kind), 0);
    EXPECT_EQ(::pthread_mutex_init(&mutex_, &attributes), 0);
    ::pthread_mutexattr_destroy(&attributes);
  }
  ~pthread_mutex() { EXPECT_EQ(::pthread_mutex_destroy(&mutex_), 0); }
  pthread_mutex(const pthread_mutex&) = delete;
  pthread_mutex& operator=(const pthread_mutex&) = delete;

  int lock() { return ::pthread_mutex_lock(&mutex_); }
  int try_lock() { return ::pthread_mutex_trylock(&mutex_); }
  int unlock() { return ::pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_;
};

// One mutex for each worker.
class mutexes {
 public:
  explicit mutexes(int kind) {
    for (auto& mutex : all_) mutex = std::make_unique<pthread_mutex>(kind);
  }
  pthread_mutex& of(int number) { return *all_[static_cast<std::size_t>(number % workers)]; }

 private:
  std::array<std::unique_ptr<pthread_mutex>, workers> all_;
};

// Tries the mutex that another worker mostly holds. True: that one held it.
bool is_held_by_another(pthread_mutex& mutex) {
  const int result = mutex.try_lock();
  if (result == EBUSY) return true;
  EXPECT_EQ(result, 0);
  EXPECT_EQ(mutex.unlock(), 0);
  return false;
}

TEST(recursive_mutex, KnowsItsOwnerEverywhere) {
  mutexes all(PTHREAD_MUTEX_RECURSIVE);
  std::atomic<long> refused{0};
  run_migrating([&](int number, border& line) {
    pthread_mutex& mine = all.of(number);
    for (int round = 0; round < rounds; ++round) {
      EXPECT_EQ(mine.lock(), 0);
      line.cross();
      EXPECT_EQ(mine.try_lock(), 0);
      if (is_held_by_another(all.of(number + 1))) refused.fetch_add(1);
      EXPECT_EQ(all.of(number + 2).unlock(), EPERM);
      line.cross();
      EXPECT_EQ(mine.unlock(), 0);
      EXPECT_EQ(mine.unlock(), 0);
      EXPECT_EQ(mine.unlock(), EPERM);
    }
  });
  EXPECT_GT(refused.load(), 0);
}

TEST(error_checking_mutex, KnowsItsOwnerEverywhere) {
  mutexes all(PTHREAD_MUTEX_ERRORCHECK);
  std::atomic<long> refused{0};
  run_migrating([&](int number, border& line) {
    pthread_mutex& mine = all.of(number);
    for (int round = 0; round < rounds; ++round) {
      EXPECT_EQ(mine.lock(), 0);
      line.cross();
      EXPECT_EQ(mine.lock(), EDEADLK);
      EXPECT_EQ(mine.try_lock(), EBUSY);
      if (is_held_by_another(all.of(number + 1))) refused.fetch_add(1);
      EXPECT_EQ(all.of(number + 2).unlock(), EPERM);
      line.cross();
      EXPECT_EQ(mine.unlock(), 0);
      EXPECT_EQ(mine.unlock(), EPERM);
    }
  });
  EXPECT_GT(refused.load(), 0);
}

TEST(read_write_lock, KnowsItsWriterEverywhere) {
  run_migrating([](int, border& line) {
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    for (int round = 0; round < rounds; ++round) {
      EXPECT_EQ(::pthread_rwlock_wrlock(&lock), 0);
      line.cross();
      EXPECT_EQ(::pthread_rwlock_wrlock(&lock), EDEADLK);
      EXPECT_EQ(::pthread_rwlock_rdlock(&lock), EDEADLK);
      EXPECT_EQ(::pthread_rwlock_unlock(&lock), 0);
    }
    EXPECT_EQ(::pthread_rwlock_destroy(&lock), 0);
  });
}

// Short critical sections without a wait inside, on one mutex for all: the everyday case.
TEST(recursive_mutex, ExcludesWorkersOfEveryServer) {
  std::recursive_mutex mutex;
  long count = 0;
  run_migrating([&](int, border& line) {
    for (int round = 0; round < rounds; ++round) {
      {
        const std::lock_guard outer(mutex);
        const std::lock_guard inner(mutex);
        ++count;
      }
      line.cross();
    }
  });
  EXPECT_EQ(count, long{workers} * rounds);
}

}  // namespace
}  // namespace umcg::identity
