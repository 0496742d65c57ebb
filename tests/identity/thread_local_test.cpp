// SPDX-License-Identifier: MIT
// What a thread keeps in its TLS: thread_local objects, errno, values of pthread keys.
#include <pthread.h>

#include <cerrno>
#include <set>

#include "identity/migration.hpp"

namespace umcg::identity {
namespace {

constexpr int rounds = 20;

std::string long_name(int number) {
  return "worker " + std::to_string(number) + ", in a string too long for its own buffer";
}

struct counted {
  counted() { made.fetch_add(1); }
  ~counted() { destroyed.fetch_add(1); }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;

  int number = -1;
  static inline std::atomic<int> made{0};
  static inline std::atomic<int> destroyed{0};
};

thread_local int own_number = -1;
thread_local std::string own_name;
thread_local counted own_object;
thread_local std::string made_late;

// One object of each kind for each worker, at an address that nobody else has.
class address_book {
 public:
  void enter(const void* address) {
    base::short_guard guard(lock_);
    EXPECT_TRUE(addresses_.insert(address).second) << "two workers share an object";
  }

 private:
  base::short_lock lock_;
  std::set<const void*> addresses_ UMCG_GUARDED_BY(lock_);
};

TEST(thread_local_objects, BelongToTheirWorker) {
  address_book book;
  counted::made.store(0);
  counted::destroyed.store(0);
  run_migrating([&book](int number, border& line) {
    EXPECT_EQ(own_number, -1);
    own_number = number;
    own_name = long_name(number);
    own_object.number = number;
    const int* const address = &own_number;
    const counted* const object = &own_object;
    book.enter(address);
    book.enter(object);
    for (int round = 0; round < rounds; ++round) {
      line.cross();
      EXPECT_EQ(own_number, number);
      EXPECT_EQ(own_name, long_name(number));
      EXPECT_EQ(own_object.number, number);
      EXPECT_EQ(&own_number, address);
      EXPECT_EQ(&own_object, object);
    }
  });
  EXPECT_EQ(counted::made.load(), workers);
  EXPECT_EQ(counted::destroyed.load(), workers);
}

// First used after some migrations: made where the worker is then, found wherever it goes.
TEST(thread_local_objects, AreMadeWhereTheWorkerIs) {
  run_migrating([](int number, border& line) {
    for (int round = 0; round <= number % 5; ++round) line.cross();
    EXPECT_EQ(made_late, "");
    made_late = long_name(number);
    for (int round = 0; round < rounds; ++round) {
      line.cross();
      EXPECT_EQ(made_late, long_name(number));
      made_late += '.';
      made_late.pop_back();
    }
  });
}

TEST(error_number, BelongsToItsWorker) {
  address_book book;
  run_migrating([&book](int number, border& line) {
    const int* const address = &errno;
    book.enter(address);
    for (int round = 0; round < rounds; ++round) {
      errno = 1000 + number;
      line.cross();
      EXPECT_EQ(errno, 1000 + number);
      EXPECT_EQ(&errno, address);
    }
  });
}

TEST(pthread_keys, BelongToTheirWorker) {
  static std::atomic<int> destroyed{0};
  destroyed.store(0);
  pthread_key_t key{};
  ASSERT_EQ(::pthread_key_create(&key,
                                 [](void* value) {
                                   delete static_cast<std::string*>(value);
                                   destroyed.fetch_add(1);
                                 }),
            0);
  run_migrating([key](int number, border& line) {
    EXPECT_EQ(::pthread_getspecific(key), nullptr);
    EXPECT_EQ(::pthread_setspecific(key, new std::string(long_name(number))), 0);
    for (int round = 0; round < rounds; ++round) {
      line.cross();
      EXPECT_EQ(*static_cast<std::string*>(::pthread_getspecific(key)), long_name(number));
    }
  });
  EXPECT_EQ(destroyed.load(), workers);
  EXPECT_EQ(::pthread_key_delete(key), 0);
}

}  // namespace
}  // namespace umcg::identity
