// SPDX-License-Identifier: MIT

// What is said when workers wait for each other, and that nothing is said of those that do not.
#include <chrono>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "umcg/group.hpp"
#include "umcg/net/listener.hpp"
#include "umcg/sync.hpp"
#include "unit/diagnosis/caught_error_output.hpp"
#include "unit/diagnosis/mutex_circle.hpp"
#include "unit/sched/byte_pipe.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

using namespace std::chrono_literals;
using testing::caught_error_output;

class deadlock_hint : public testing::group_test {};

// Longer than the library looks at what does not move.
deadline after_all_looks() { return deadline::after(2500ms); }

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++found;
  }
  return found;
}

TEST_F(deadlock_hint, ComesOnceWhenAllWorkersWaitForEachOther) {
  caught_error_output caught;
  sync::event one_is_done;
  sync::event other_is_done;
  group running = group::start({.servers = 2});
  const worker one = running.spawn(
      [&] {
        other_is_done.wait();
        one_is_done.set();
      },
      {.name = "one"});
  const worker other = running.spawn(
      [&] {
        one_is_done.wait();
        other_is_done.set();
      },
      {.name = "other"});
  const std::string hint = "umcg: hint: perhaps a deadlock: all 2 workers of a group wait";
  std::string said = caught.read_until(hint, testing::patience());
  EXPECT_NE(said.find(hint), std::string::npos) << said;
  said = caught.read_until("never said", after_all_looks());
  EXPECT_EQ(count(said, "umcg: hint"), 1U) << said;
  EXPECT_NE(said.find("2 gate;"), std::string::npos) << said;
  one_is_done.set();
}

TEST_F(deadlock_hint, IsACertaintyForMutexesInACircle) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(testing::lock_in_a_circle<sync::mutex>(), ::testing::ExitedWithCode(0),
              testing::circle_of_one_and_other);
}

// Both block their kernel threads.
TEST_F(deadlock_hint, IsACertaintyForMutexesOfTheCLibrary) {
  if (group::start({.servers = 1}).description().find("usermode") == std::string::npos) {
    GTEST_SKIP() << "nobody loses a server";
  }
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(testing::lock_in_a_circle<std::mutex>(), ::testing::ExitedWithCode(0),
              testing::circle_of_one_and_other);
}

// A server that listens, and one whose worker is in a system call with a mutex that others want.
TEST_F(deadlock_hint, IsNotGivenWhereTheKernelMayLetSomebodyGoOn) {
  caught_error_output caught;
  sync::event over;
  net::listener from = net::listener::bind(net::parse_endpoint("127.0.0.1:0"));
  group listening = group::start({.servers = 1});
  const worker accepts = listening.spawn([&] {
    std::error_code error;
    from.accept(deadline::never(), error);
  });
  const worker waits = listening.spawn([&] { over.wait(); });

  const testing::byte_pipe answer;
  std::mutex guards;
  sync::event locked;
  group calling = group::start({.servers = 1});
  const worker owner = calling.spawn([&] {
    const std::lock_guard lock(guards);
    locked.set();
    answer.wait_for_byte();
  });
  const worker wants = calling.spawn([&] {
    locked.wait();
    const std::lock_guard lock(guards);
  });
  EXPECT_EQ(caught.read_until("umcg:", after_all_looks()), "");
  from.stop();
  over.set();
  answer.send_bytes(1);
}

TEST_F(deadlock_hint, IsNotGivenToThoseWhoHaveADeadline) {
  caught_error_output caught;
  sync::event over;
  group running = group::start({.servers = 1});
  const worker one =
      running.spawn([&] { static_cast<void>(over.wait_until(deadline::after(1h))); });
  const worker two = running.spawn([&] { over.wait(); });
  EXPECT_EQ(caught.read_until("umcg:", after_all_looks()), "");
  over.set();
}

// Whoever has done it once may do it again.
TEST_F(deadlock_hint, IsNotGivenWhereAThreadHasWokenSomebodyBefore) {
  caught_error_output caught;
  sync::semaphore from_thread(0);
  sync::semaphore got_one(0);
  group running = group::start({.servers = 1});
  const worker one = running.spawn([&] {
    from_thread.acquire();
    got_one.release();
    from_thread.acquire();
  });
  ASSERT_TRUE(testing::becomes_true(
      [&] { return running.counters().blocks_for(wait_reason::semaphore) == 1; }));
  from_thread.release();
  got_one.acquire();
  EXPECT_EQ(caught.read_until("umcg:", after_all_looks()), "");
  from_thread.release();
}

TEST_F(deadlock_hint, CanBeSwitchedOff) {
  caught_error_output caught;
  sync::event over;
  group running = group::start({.servers = 1, .deadlock_hints = false});
  const worker one = running.spawn([&] { over.wait(); });
  EXPECT_EQ(caught.read_until("umcg:", after_all_looks()), "");
  over.set();
}

}  // namespace
}  // namespace umcg
