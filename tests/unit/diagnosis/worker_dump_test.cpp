// SPDX-License-Identifier: MIT

// The dump of all workers: what each does and waits for, its stack, and that nobody has to be well
// for it.
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"
#include "io/operations.hpp"
#include "sanitizer.hpp"
#include "umcg/blocking_region.hpp"
#include "umcg/diagnosis.hpp"
#include "umcg/sync.hpp"
#include "unit/diagnosis/caught_error_output.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

using namespace std::chrono_literals;

class worker_dump : public testing::group_test {};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The dump, once all of that stands in it.
::testing::AssertionResult shows(const std::vector<std::string>& parts,
                                 std::string* last = nullptr) {
  std::string dump;
  std::string missing;
  const bool all = testing::becomes_true([&] {
    dump = diagnosis::dump_workers();
    const auto lacks = [&](const std::string& part) { return !contains(dump, part); };
    const auto found = std::ranges::find_if(parts, lacks);
    missing = found == parts.end() ? "" : *found;
    return missing.empty();
  });
  if (last != nullptr) *last = dump;
  if (all) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "no '" << missing << "' in\n" << dump;
}

// The line that begins with a worker of that name.
std::string line_of(const std::string& dump, const std::string& name) {
  const std::size_t at = dump.find('"' + name + "\": ");
  if (at == std::string::npos) return {};
  return dump.substr(at, dump.find('\n', at) - at);
}

struct connected_pair {
  connected_pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
  }
  void send_byte() const { EXPECT_EQ(::write(theirs.get(), "x", 1), 1); }
  base::unique_fd ours;
  base::unique_fd theirs;
};

[[gnu::noinline]] void waits_here(sync::event& gate) {
  gate.wait();
  asm volatile("");  // so that the call above is not the last one, which would leave no frame
}

TEST_F(worker_dump, SaysWhatEachWorkerWaitsFor) {
  const connected_pair pair;
  sync::event over;
  sync::mutex held;
  std::atomic<bool> is_held{false};
  group running = group::start({.servers = 2});
  const worker holder = running.spawn(
      [&] {
        held.lock();
        is_held.store(true);
        over.wait();
        held.unlock();
      },
      {.name = "holder"});
  ASSERT_TRUE(testing::becomes_true([&] { return is_held.load(); }));
  const worker locker = running.spawn(
      [&] {
        held.lock();
        held.unlock();
      },
      {.name = "locker"});
  const worker timed = running.spawn(
      [&] { static_cast<void>(over.wait_until(deadline::after(1h))); }, {.name = "timed"});
  const worker reader = running.spawn(
      [&] {
        std::array<std::byte, 1> byte{};
        std::error_code error;
        io::recv(pair.ours.get(), byte, deadline::never(), error);
      },
      {.name = "reader"});
  std::string dump;
  EXPECT_TRUE(shows({"\"locker\": mutex 0x", "\"timed\": gate 0x", "\"holder\": gate 0x",
                     "\"reader\": receive on fd " + std::to_string(pair.ours.get()) + " for "},
                    &dump));
  EXPECT_TRUE(contains(line_of(dump, "locker"), " owned by worker "));
  EXPECT_TRUE(contains(line_of(dump, "locker"), " \"holder\""));
  EXPECT_TRUE(contains(line_of(dump, "timed"), ", deadline in 3"));
  EXPECT_TRUE(contains(line_of(dump, "reader"), "server "));
  EXPECT_TRUE(contains(dump, "=== umcg: 4 workers ==="));
  EXPECT_TRUE(contains(dump, "\"umcg-server-1\""));
  over.set();
  pair.send_byte();
}

[[gnu::noinline]] void locks_here(sync::mutex& held) {
  held.lock();
  held.unlock();
}

TEST_F(worker_dump, ShowsFunctionsAndLinesOfAParkedWorker) {
  sync::mutex held;
  held.lock();
  group running = group::start({.servers = 1});
  const worker one = running.spawn([&] { locks_here(held); }, {.name = "one"});
  std::string dump;
  EXPECT_TRUE(shows({"locks_here(umcg::sync::mutex&) at "}, &dump));
  const std::size_t at = dump.find("locks_here");
  EXPECT_TRUE(contains(dump.substr(at, dump.find('\n', at) - at), "worker_dump_test.cpp:")) << dump;
  EXPECT_TRUE(contains(line_of(dump, "one"), "owned by a thread that is no task")) << dump;
  held.unlock();
}

TEST_F(worker_dump, FoldsEqualStacks) {
  sync::event over;
  group running = group::start({.servers = 2});
  std::vector<worker> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(running.spawn([&] { waits_here(over); }, {.name = "same"}));
  }
  std::string dump;
  EXPECT_TRUE(shows({"20 workers, gate:"}, &dump));
  const std::string frame = "waits_here";
  const std::size_t first = dump.find(frame);
  EXPECT_EQ(dump.find(frame, first + 1), std::string::npos) << dump;
  over.set();
}

std::atomic<bool> go_on{false};

[[gnu::noinline]] void spins_here() {
  while (!go_on.load()) asm volatile("");
}

TEST_F(worker_dump, ShowsAWorkerThatSpinsOnTheOnlyServer) {
  go_on.store(false);
  group running = group::start({.servers = 1, .quantum = {}});
  const worker one = running.spawn([] { spins_here(); }, {.name = "spinner"});
  std::vector<std::string> parts{"\"spinner\": runs, thread ", "runs worker "};
  // ThreadSanitizer may keep the signal back until the next system call.
  if (!testing::thread_sanitizer) parts.emplace_back("spins_here()");
  EXPECT_TRUE(shows(parts));
  go_on.store(true);
}

[[gnu::noinline]] void reads_here(int fd) {
  char byte;
  EXPECT_EQ(::read(fd, &byte, 1), 1);
}

TEST_F(worker_dump, ShowsAWorkerThatBlocksTheOnlyServerInASystemCall) {
  const connected_pair pair;
  group running = group::start({.servers = 1});
  const worker one = running.spawn([&] { reads_here(pair.ours.get()); }, {.name = "stuck"});
  // It is seen to block, and loses its server.
  std::vector<std::string> parts{"\"stuck\": without a server for ",
                                 "blocked in system call read(0x"};
  // An instrumented read() has a frame of its own, behind which the caller may not be found.
  if (!testing::instrumented) parts.emplace_back("reads_here(int)");
  EXPECT_TRUE(shows(parts));
  pair.send_byte();
}

TEST_F(worker_dump, ShowsAWorkerInABlockingRegion) {
  const connected_pair pair;
  group running = group::start({.servers = 1});
  const worker one = running.spawn(
      [&] {
        const blocking_region region;
        reads_here(pair.ours.get());
      },
      {.name = "outside"});
  EXPECT_TRUE(shows({"\"outside\": blocking region for ", "blocked in system call read("}));
  pair.send_byte();
}

TEST_F(worker_dump, CanBeAskedForByAWorker) {
  group running = group::start({.servers = 1});
  std::string dump;
  running.spawn([&] { dump = diagnosis::dump_workers(); }, {.name = "curious"}).join();
  // Its server may not have noted yet that it is in a blocking region.
  EXPECT_TRUE(contains(dump, "\"curious\": ")) << dump;
}

TEST_F(worker_dump, SaysWhenItCannotBeWritten) {
  std::error_code error;
  diagnosis::dump_workers(-1, error);
  EXPECT_EQ(error, std::errc::bad_file_descriptor);
}

TEST_F(worker_dump, DisturbsNobodyWhoSwitchesAllTheTime) {
  constexpr int rounds = testing::instrumented ? 20 : 100;
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> turns{0};
  group running = group::start({.servers = 2});
  std::vector<worker> all;
  for (int i = 0; i < 16; ++i) {
    all.push_back(running.spawn([&] {
      while (!over.load()) {
        turns.fetch_add(1);
        sleep_until(deadline::after(50us));
      }
    }));
  }
  for (int i = 0; i < rounds; ++i) {
    EXPECT_TRUE(contains(diagnosis::dump_workers(), "=== umcg: end ==="));
  }
  const std::uint64_t before = turns.load();
  EXPECT_TRUE(testing::becomes_true([&] { return turns.load() > before; }));
  over.store(true);
}

std::atomic<int> earlier_calls{0};

TEST_F(worker_dump, ComesOnASignalAndKeepsTheEarlierHandler) {
  struct sigaction earlier {};
  struct sigaction before {};
  earlier.sa_handler = [](int) { earlier_calls.fetch_add(1); };
  ASSERT_EQ(::sigaction(SIGUSR2, &earlier, &before), 0);
  sync::event over;
  group running = group::start({.servers = 1});
  const worker one = running.spawn([&] { waits_here(over); }, {.name = "signalled"});
  EXPECT_TRUE(shows({"\"signalled\": gate"}));
  std::error_code error;
  diagnosis::dump_on_signal(SIGUSR2, error);
  ASSERT_FALSE(error);
  {
    testing::caught_error_output caught;
    ::kill(::getpid(), SIGUSR2);
    EXPECT_TRUE(contains(caught.read_until("=== umcg: end ===", testing::patience()),
                         "\"signalled\": gate"));
  }
  EXPECT_EQ(earlier_calls.load(), 1);
  diagnosis::dump_on_signal(0, error);
  EXPECT_FALSE(error);
  struct sigaction now {};
  ASSERT_EQ(::sigaction(SIGUSR2, &before, &now), 0);
  EXPECT_EQ(now.sa_handler, earlier.sa_handler);
  over.set();
}

TEST_F(worker_dump, RefusesASignalThatCannotBeHandled) {
  std::error_code error;
  diagnosis::dump_on_signal(SIGKILL, error);
  EXPECT_EQ(error, std::errc::invalid_argument);
}

// Of CPU time: others may want the CPUs, too.
TEST_F(worker_dump, OfTenThousandWorkersTakesLessThanTwoSeconds) {
  constexpr int many = testing::instrumented ? 500 : 10'000;
  sync::event over;
  group running = group::start({.servers = 2});
  std::vector<worker> all;
  for (int i = 0; i < many; ++i) {
    all.push_back(running.spawn([&] { waits_here(over); }, {.name = "one of many"}));
  }
  const std::string expected = std::to_string(many) + " workers, gate:";
  std::string dump;
  EXPECT_TRUE(shows({expected}, &dump));
  const std::clock_t begin = std::clock();
  dump = diagnosis::dump_workers();
  const double took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::printf("%d workers: %.0f ms, %zu bytes\n", many, took * 1e3, dump.size());
  EXPECT_LT(took, 2.0 * testing::slowness);
  EXPECT_TRUE(contains(dump, expected));
  over.set();
}

}  // namespace
}  // namespace umcg
