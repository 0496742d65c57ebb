// SPDX-License-Identifier: MIT

// What the reactor does when the kernel refuses a submission for a while, as it does when it is
// short of memory or of room for completions. This program puts itself between the reactor and
// liburing.

#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include <gtest/gtest.h>
#include <liburing.h>

#include "io/operations.hpp"
#include "umcg/group.hpp"
#include "unit/io/sockets.hpp"
#include "unit/sched/group_test.hpp"

namespace {

// How many of the next submissions by a server are refused.
std::atomic<int> refusals = 0;
std::atomic<int> refused = 0;

// A submission because the queue is full is refused once while this is a descriptor, which is
// closed at that moment.
std::atomic<int> closed_when_full = -1;

bool refuses() {
  int left = refusals;
  while (left > 0 && !refusals.compare_exchange_weak(left, left - 1)) continue;
  if (left > 0) ++refused;
  return left > 0;
}

template <class Function>
Function* next_definition(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int io_uring_submit(io_uring* ring) {
  static auto* const really = next_definition<int(io_uring*)>("io_uring_submit");
  const int fd = closed_when_full.exchange(-1);
  if (fd < 0) return really(ring);
  ::close(fd);
  refusals = 0;
  return -EBUSY;
}

extern "C" int io_uring_submit_and_wait(io_uring* ring, unsigned count) {
  static auto* const really = next_definition<int(io_uring*, unsigned)>("io_uring_submit_and_wait");
  return refuses() ? -EAGAIN : really(ring, count);
}

extern "C" int io_uring_submit_and_get_events(io_uring* ring) {
  static auto* const really = next_definition<int(io_uring*)>("io_uring_submit_and_get_events");
  return refuses() ? -EAGAIN : really(ring);
}

namespace umcg::io {
namespace {

class failing_submission : public testing::group_test {
 protected:
  void SetUp() override {
    const std::string missing = testing::why_no_group("io_uring");
    if (!missing.empty()) GTEST_SKIP() << missing;
  }
};

TEST_F(failing_submission, is_tried_again) {
  group on = group::start({.servers = 1, .reactor = "io_uring"});
  const testing::fd_pair ends = testing::tcp_pair();
  for (int round = 0; round < 20; ++round) {
    refusals = round;
    on.spawn([&] {
        std::error_code error;
        std::byte byte{7};
        EXPECT_EQ(send(ends.here.get(), {&byte, 1}, testing::patience(), error), 1u);
        EXPECT_EQ(recv(ends.there.get(), {&byte, 1}, deadline::never(), error), 1u);
        umcg::sleep_until(deadline::after(std::chrono::milliseconds(1)));
      }).join();
  }
  EXPECT_GT(refused, 0);
  refusals = 0;
}

// The submission queue is full and the kernel takes nothing, so the reactor reaps to make room, in
// the middle of a worker's call. The workers whose operations that completes have to run, although
// nothing else completes afterwards.
TEST_F(failing_submission, does_not_leave_completed_workers_behind) {
  constexpr int first = 500;
  constexpr int entries = 4096;
  // Nobody takes the server from the worker that fills the queue.
  group on = group::start(
      {.servers = 1, .reactor = "io_uring", .quantum = {}, .hand_off = {.watch = "off"}});
  testing::fd_pair waited = testing::unix_pair();
  const testing::fd_pair silent = testing::unix_pair();
  std::atomic<int> waiting = 0;
  std::atomic<int> ended = 0;
  const auto wait_for = [&](int fd) {
    std::byte byte;
    std::error_code error;
    ++waiting;
    recv(fd, {&byte, 1}, deadline::never(), error);
    ++ended;
  };
  for (int i = 0; i < first; ++i) on.spawn([&] { wait_for(waited.here.get()); }).detach();
  ASSERT_TRUE(testing::becomes_true([&] { return waiting == first; }));
  on.spawn([&] {
      // The last of these finds the queue full; until then the server submits nothing.
      for (int i = 0; i <= entries; ++i) on.spawn([&] { wait_for(silent.here.get()); }).detach();
      closed_when_full = waited.there.release();
      refusals = entries;
    }).detach();
  ASSERT_TRUE(testing::becomes_true([&] { return waiting == first + entries + 1; }));
  EXPECT_EQ(closed_when_full, -1) << "the queue was never full: nothing was tested";
  EXPECT_TRUE(testing::becomes_true([&] { return ended == first; }))
      << first - ended << " of " << first << " workers were left behind";
  EXPECT_EQ(::shutdown(silent.here.get(), SHUT_RDWR), 0);
  on.stop();
  EXPECT_EQ(ended, first + entries + 1);
}

}  // namespace
}  // namespace umcg::io
