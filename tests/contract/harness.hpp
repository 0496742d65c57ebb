// SPDX-License-Identifier: MIT
#pragma once

// What the contract's tests are written in. They run over every kernel half, also the simulated
// one, where threads take turns as a seed says and time is virtual: so they use these threads, this
// clock and pause() instead of the system's.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "umcg/libumcg.h"

namespace contract {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// --- the world, real or simulated (real_world.cpp, simulated_world.cpp) ---

class thread {
 public:
  explicit thread(std::function<void()> body);
  ~thread();  // joins
  thread(const thread&) = delete;
  thread& operator=(const thread&) = delete;
  void join();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

void pause();                         // lets other threads go on
void let_pass(nanoseconds duration);  // long enough for another thread to fall asleep, say
void spin(std::uint32_t turns);       // shifts races against each other by some nanoseconds
bool is_simulated();
// How often a loop of a stress test goes round: fewer times where a round is expensive, more often
// in a long run.
int rounds(int usual);
// A number from 0 to `bound` - 1; in a simulation the seed decides.
std::uint32_t random(std::uint32_t bound);

// --- for all of them ---

std::string half_name();  // usermode, futex, native, simulated

inline std::uint64_t after(nanoseconds duration) {
  return umcg_get_time_ns() + static_cast<std::uint64_t>(duration.count());
}

// Waits for what other threads bring about; false when it does not come within 20 s.
template <class Predicate>
bool eventually(Predicate holds) {
  const std::uint64_t end = after(std::chrono::seconds(20));
  while (!holds()) {
    if (umcg_get_time_ns() > end) return false;
    pause();
  }
  return true;
}

inline bool has_flags(umcg_tid task, std::uint64_t flags) {
  return (umcg_get_task_state(task) & flags) == flags;
}
inline std::uint64_t state_of(umcg_tid task) {
  return umcg_get_task_state(task) & UMCG_TASK_STATE_MASK;
}
inline bool waits(umcg_tid task) { return has_flags(task, UMCG_TF_WAITING); }
inline bool is_listed(umcg_tid task) { return has_flags(task, UMCG_TF_LISTED); }

// A call fails with that errno; a call that returns an id returns none, with that errno.
#define EXPECT_FAILS(call, error) \
  do {                            \
    errno = 0;                    \
    EXPECT_EQ((call), -1);        \
    EXPECT_EQ(errno, error);      \
  } while (false)

#define EXPECT_NONE(call, error)                       \
  do {                                                 \
    errno = -1;                                        \
    EXPECT_EQ(static_cast<umcg_tid>(call), UMCG_NONE); \
    EXPECT_EQ(errno, error);                           \
  } while (false)

// What a half cannot do. The reason is printed in the table.
#define NOT_OVER(half, reason) \
  if (half_name() == (half)) GTEST_SKIP() << (reason)

// A thread of its own that is a task while `body` runs. Its id is known from the beginning.
class task_thread {
 public:
  umcg_tid id() const { return id_.load(); }
  bool has_ended() const { return has_ended_.load(); }
  void join() { thread_->join(); }

 protected:
  // `enter` registers the thread.
  void start(std::function<umcg_tid()> enter, std::function<void()> body);

 private:
  std::atomic<umcg_tid> id_{UMCG_NONE};
  std::atomic<bool> has_ended_{false};
  std::unique_ptr<thread> thread_;
};

class worker : public task_thread {
 public:
  worker(umcg_t group, std::function<void()> body, std::intptr_t tag = 0) {
    start([group, tag] { return umcg_register_worker(group, tag); }, std::move(body));
  }
};

class basic : public task_thread {
 public:
  explicit basic(std::function<void()> body) {
    start([] { return umcg_register_basic_task(0); }, std::move(body));
  }
};

class server : public task_thread {
 public:
  server(umcg_t group, std::function<void()> body) {
    start([group] { return umcg_register_server(group, 0); }, std::move(body));
  }
};

// A group, and servers that run whatever is idle until it is stopped. They sleep without a
// deadline: a worker that is listed without waking one of them is never run.
class group {
 public:
  explicit group(std::uint32_t flags = 0) : id_(umcg_create_group(flags)) {
    EXPECT_NE(id_, umcg_t{UMCG_NONE}) << umcg_kernel_half();
  }
  ~group() {
    stop();
    EXPECT_EQ(umcg_destroy_group(id_), 0) << errno;
  }
  group(const group&) = delete;
  group& operator=(const group&) = delete;
  operator umcg_t() const { return id_; }  // NOLINT(google-explicit-constructor)

  void serve(int servers);
  void stop();

 private:
  umcg_t id_;
  std::vector<std::unique_ptr<server>> servers_;
};

// The calling thread, registered for the life of this object.
class registration {
 public:
  explicit registration(umcg_tid id) : id_(id) { EXPECT_NE(id, UMCG_NONE) << errno; }
  ~registration() { EXPECT_EQ(umcg_unregister_task(), 0) << errno; }
  registration(const registration&) = delete;
  registration& operator=(const registration&) = delete;
  umcg_tid id() const { return id_; }

 private:
  umcg_tid id_;
};

// Runs whatever is idle until the worker is no task any more.
void run_until_gone(const worker& worker);

}  // namespace contract
