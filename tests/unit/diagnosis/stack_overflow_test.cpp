// SPDX-License-Identifier: MIT

// A worker that uses up its stack: what is said, and that the process ends as by any SIGSEGV, or as
// the program's own handler wants.
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "sanitizer.hpp"
#include "umcg/group.hpp"
#include "umcg/http.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg {
namespace {

class stack_overflow : public testing::group_test {};

// NOLINTBEGIN(misc-no-recursion): that is what is tested.
[[gnu::noinline]] int goes_deeper(int depth) {
  std::array<char, 512> frame;
  asm volatile("" ::"r"(frame.data()) : "memory");
  if (depth < 0) return 0;  // after more than any stack holds
  const int below = goes_deeper(depth + 1);
  asm volatile("" ::"r"(frame.data()) : "memory");
  return below + depth;
}
// NOLINTEND(misc-no-recursion)

void overflow() {
  group running = group::start({.servers = 1});
  running.spawn([] { std::_Exit(goes_deeper(0)); }, {.name = "deep", .stack_size_bytes = 64 * 1024})
      .join();
}

// 16 is where the test below writes.
void own_handler(int /*signal*/, siginfo_t* info, void* /*context*/) {
  std::_Exit(reinterpret_cast<std::uintptr_t>(info->si_addr) == 16 ? 43 : 42);
}

// The program has its own handler before it starts its first group.
class stack_overflow_handled : public stack_overflow {
 protected:
  void SetUp() override {
    struct sigaction mine {};
    mine.sa_sigaction = own_handler;
    mine.sa_flags = SA_ONSTACK | SA_SIGINFO;
    ASSERT_EQ(::sigaction(SIGSEGV, &mine, nullptr), 0);
    stack_overflow::SetUp();
  }
};

// A second overflow or anything else that goes wrong would leave the child running.
template <class Body>
auto child(Body body) {
  return [body] {
    ::alarm(static_cast<unsigned>(testing::hang_limit::seconds_max));
    body();
    std::_Exit(0);
  };
}

constexpr const char* message =
    "umcg: stack overflow: worker [0-9]+ .deep. has used up its stack of 68 KiB, called from:\n"
    "(.|\n)*#0 .*goes_deeper\\(int\\) at .*stack_overflow_test\\.cpp:";

TEST_F(stack_overflow, NamesTheWorkerAndEndsAsSegmentationFault) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // Instrumented, the process ends as its sanitizer wants.
  const auto ends = [](int status) {
    return testing::instrumented ? status != 0 : WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
  };
  EXPECT_EXIT(child(overflow)(), ends, message);
}

// The same in a handler of HTTP requests.
void overflow_in_a_handler() {
  const auto ask = [](const net::endpoint& where, const std::string& /*how*/) {
    static constexpr std::string_view request = "GET /deep HTTP/1.1\r\nHost: a\r\n\r\n";
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    ::connect(fd, where.data(), static_cast<socklen_t>(where.size()));
    static_cast<void>(::write(fd, request.data(), request.size()) == 0);
  };
  http::service service({.servers = 1, .on_ready = ask});
  service.get("/deep", [](const http::request&) {
    return http::response::text(std::to_string(goes_deeper(0)));
  });
  service.run("127.0.0.1:0");
}

TEST_F(stack_overflow, OfAConnectionIsNamedToo) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto ends = [](int status) { return status != 0; };
  EXPECT_EXIT(child(overflow_in_a_handler)(), ends,
              "umcg: stack overflow: worker [0-9]+ .connection. has used up its stack of 260 KiB"
              "(.|\n)*#0 .*goes_deeper");
}

TEST_F(stack_overflow_handled, IsLeftToTheEarlierHandler) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(child(overflow)(), ::testing::ExitedWithCode(42), message);
}

TEST_F(stack_overflow_handled, IsNotSaidOfOtherFaults) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto fault = [] {
    group running = group::start({.servers = 1});
    running
        .spawn([] {
          int* nowhere = reinterpret_cast<int*>(16);
          asm volatile("" : "+r"(nowhere));
          *nowhere = 1;
        })
        .join();
  };
  EXPECT_EXIT(child(fault)(), ::testing::ExitedWithCode(43), "^$");
}

TEST_F(stack_overflow, LeavesASignalThatWasSentItsEffect) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  if (testing::instrumented) GTEST_SKIP() << "sanitizers handle the signal";
  const auto sent = [] {
    group running = group::start({.servers = 1});
    ::kill(::getpid(), SIGSEGV);
    for (;;) ::pause();
  };
  EXPECT_EXIT(child(sent)(), ::testing::KilledBySignal(SIGSEGV), "^$");
}

}  // namespace
}  // namespace umcg
