// SPDX-License-Identifier: MIT

// The blocking calls of a plain thread: deadlines that signals do not move, files and pipes, no
// SIGPIPE, and sockets that stay in blocking mode. What streams and listeners need of them is
// tested through the net layer as well.

#include "io/thread_calls.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/unique_fd.hpp"

namespace umcg::io {
namespace {

using base::unique_fd;
using std::chrono::milliseconds;

deadline patience() { return deadline::after(std::chrono::seconds(20)); }
deadline soon() { return deadline::after(milliseconds(30)); }
deadline long_ago() { return deadline::after(std::chrono::seconds(-1)); }

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct fd_pair {
  unique_fd first;
  unique_fd second;
};

fd_pair make_sockets(int type = SOCK_STREAM) {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
  return {unique_fd(ends[0]), unique_fd(ends[1])};
}

fd_pair make_pipe() {
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {unique_fd(ends[0]), unique_fd(ends[1])};
}

bool non_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

class ThreadCalls : public testing::Test {
 protected:
  std::string text(std::size_t count) const {
    return {reinterpret_cast<const char*>(into_.data()), count};
  }

  std::array<std::byte, 64> into_{};
  std::error_code error_ = std::make_error_code(std::errc::io_error);
};

TEST_F(ThreadCalls, RecvSeesDataEndAndDeadline) {
  auto [here, there] = make_sockets();
  EXPECT_EQ(thread_calls::send(there.get(), bytes_of("abc"), patience(), error_), 3u);
  EXPECT_FALSE(error_);
  EXPECT_EQ(text(thread_calls::recv(here.get(), into_, long_ago(), error_)), "abc");
  EXPECT_FALSE(error_);
  const deadline until = soon();
  EXPECT_EQ(thread_calls::recv(here.get(), into_, until, error_), 0u);
  EXPECT_EQ(error_, std::errc::timed_out);
  EXPECT_TRUE(until.passed());
  there.reset();
  EXPECT_EQ(thread_calls::recv(here.get(), into_, patience(), error_), 0u);
  EXPECT_FALSE(error_);
  EXPECT_FALSE(non_blocking(here.get()));
}

TEST_F(ThreadCalls, SomeGatherAndScatter) {
  auto [here, there] = make_sockets();
  std::string one = "one", two = "two";
  const iovec out[] = {{one.data(), one.size()}, {two.data(), two.size()}};
  EXPECT_EQ(thread_calls::send_some(there.get(), out, patience(), error_), 6u);
  const iovec in[] = {{into_.data(), 4}, {into_.data() + 10, 4}};
  EXPECT_EQ(thread_calls::recv_some(here.get(), in, patience(), error_), 6u);
  EXPECT_FALSE(error_);
  EXPECT_EQ(text(4), "onet");
  EXPECT_EQ(std::memcmp(into_.data() + 10, "wo", 2), 0);
  EXPECT_EQ(thread_calls::recv_some(here.get(), in, soon(), error_), 0u);
  EXPECT_EQ(error_, std::errc::timed_out);
  here.reset();
  EXPECT_EQ(thread_calls::send_some(there.get(), out, patience(), error_), 0u);
  EXPECT_EQ(error_, std::errc::broken_pipe);
}

TEST_F(ThreadCalls, SendCountsWhatLeft) {
  auto [here, there] = make_sockets();
  const std::vector<std::byte> much(4 * 1024 * 1024);
  const std::size_t count = thread_calls::send(there.get(), much, soon(), error_);
  EXPECT_EQ(error_, std::errc::timed_out);
  EXPECT_GT(count, 0u);
  EXPECT_LT(count, much.size());
  int queued = 0;
  std::vector<std::byte> all(much.size());
  while (::recv(here.get(), all.data(), all.size(), MSG_DONTWAIT) > 0) ++queued;
  EXPECT_GT(queued, 0);
  EXPECT_EQ(thread_calls::send(there.get(), {}, long_ago(), error_), 0u);
  EXPECT_FALSE(error_);
}

// The reader takes everything as it comes, so there is always room: only the clock can end this.
TEST_F(ThreadCalls, SendEndsThoughThePeerKeepsUp) {
  auto [here, there] = make_sockets();
  std::thread reader([fd = here.get()] {
    std::vector<std::byte> into(1 << 20);
    while (::recv(fd, into.data(), into.size(), 0) > 0) {
    }
  });
  // Untouched pages take no memory.
  const std::size_t endless = std::size_t{1} << 30;
  void* const zeros = ::mmap(nullptr, endless, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(zeros, MAP_FAILED);
  const std::span bytes(static_cast<const std::byte*>(zeros), endless);
  const deadline until = deadline::after(milliseconds(5));
  EXPECT_LT(thread_calls::send(there.get(), bytes, until, error_), endless);
  EXPECT_EQ(error_, std::errc::timed_out);
  there.reset();
  reader.join();
  ::munmap(zeros, endless);
}

TEST_F(ThreadCalls, SendThenRecvIsOneTurn) {
  auto [here, there] = make_sockets();
  thread_calls::send(there.get(), bytes_of("answer"), patience(), error_);
  EXPECT_EQ(
      text(thread_calls::send_then_recv(here.get(), bytes_of("ask"), into_, patience(), error_)),
      "answer");
  EXPECT_FALSE(error_);
  EXPECT_EQ(text(thread_calls::recv(there.get(), into_, patience(), error_)), "ask");
  there.reset();
  thread_calls::send_then_recv(here.get(), bytes_of("ask"), into_, patience(), error_);
  EXPECT_EQ(error_, std::errc::broken_pipe);
}

TEST_F(ThreadCalls, BadDescriptorsAreReported) {
  peer_address peer;
  const sockaddr_in nowhere{};
  const auto expect_bad = [&](const char* call) {
    EXPECT_EQ(error_, std::errc::bad_file_descriptor) << call;
    error_.clear();
  };
  EXPECT_EQ(thread_calls::accept(-1, peer, patience(), error_), -1);
  expect_bad("accept");
  thread_calls::connect(-1, reinterpret_cast<const sockaddr*>(&nowhere), sizeof(nowhere),
                        patience(), error_);
  expect_bad("connect");
  thread_calls::recv(-1, into_, patience(), error_);
  expect_bad("recv");
  thread_calls::send(-1, into_, patience(), error_);
  expect_bad("send");
  thread_calls::read(-1, into_, -1, patience(), error_);
  expect_bad("read");
  thread_calls::write(-1, into_, 0, deadline::never(), error_);
  expect_bad("write");
}

// A Unix listener named by the kernel, for accept and connect without TCP.
struct unix_listener {
  unix_listener() : fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address.sun_family = AF_UNIX;
    EXPECT_EQ(::bind(fd.get(), as_sockaddr(), sizeof(sa_family_t)), 0);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(::listen(fd.get(), 8), 0);
  }
  const sockaddr* as_sockaddr() const { return reinterpret_cast<const sockaddr*>(&address); }

  unique_fd fd;
  sockaddr_un address{};
  socklen_t size = sizeof(address);
};

TEST_F(ThreadCalls, ConnectAndAcceptLeaveSocketsBlocking) {
  const unix_listener listener;
  const unique_fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  thread_calls::connect(client.get(), listener.as_sockaddr(), listener.size, patience(), error_);
  EXPECT_FALSE(error_);
  peer_address peer;
  const unique_fd accepted(thread_calls::accept(listener.fd.get(), peer, patience(), error_));
  EXPECT_FALSE(error_);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(peer.storage.ss_family, AF_UNIX);
  EXPECT_EQ(peer.size, sizeof(sa_family_t));
  EXPECT_EQ(::fcntl(accepted.get(), F_GETFD), FD_CLOEXEC);
  for (const int fd : {client.get(), accepted.get(), listener.fd.get()}) {
    EXPECT_FALSE(non_blocking(fd));
  }
  EXPECT_EQ(thread_calls::accept(listener.fd.get(), peer, soon(), error_), -1);
  EXPECT_EQ(error_, std::errc::timed_out);
}

TEST_F(ThreadCalls, ConnectKeepsNonBlockingModeThatWasThere) {
  const unix_listener listener;
  const unique_fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  thread_calls::connect(client.get(), listener.as_sockaddr(), listener.size, patience(), error_);
  EXPECT_FALSE(error_);
  EXPECT_TRUE(non_blocking(client.get()));
}

// Also a descriptor that is in non-blocking mode is waited for.
TEST_F(ThreadCalls, NonBlockingDescriptorsWaitToo) {
  const unix_listener listener;
  peer_address peer;
  ::fcntl(listener.fd.get(), F_SETFL, O_NONBLOCK);
  EXPECT_EQ(thread_calls::accept(listener.fd.get(), peer, soon(), error_), -1);
  EXPECT_EQ(error_, std::errc::timed_out);
  auto [from, to] = make_pipe();
  ::fcntl(from.get(), F_SETFL, O_NONBLOCK);
  std::thread writer([fd = to.get()] { EXPECT_EQ(::write(fd, "x", 1), 1); });
  EXPECT_EQ(thread_calls::read(from.get(), into_, -1, deadline::never(), error_), 1u);
  EXPECT_FALSE(error_);
  writer.join();
}

TEST_F(ThreadCalls, FilesHaveAPositionAndOffsets) {
  char name[] = "/tmp/thread_calls_test.XXXXXX";
  const unique_fd file(::mkostemp(name, O_CLOEXEC));
  ASSERT_TRUE(file);
  ::unlink(name);
  EXPECT_EQ(thread_calls::write(file.get(), bytes_of("0123"), -1, patience(), error_), 4u);
  EXPECT_EQ(thread_calls::write(file.get(), bytes_of("4567"), -1, long_ago(), error_), 4u);
  EXPECT_EQ(thread_calls::write(file.get(), bytes_of("ab"), 2, deadline::never(), error_), 2u);
  EXPECT_FALSE(error_);
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 8);
  EXPECT_EQ(text(thread_calls::read(file.get(), into_, 1, long_ago(), error_)), "1ab4567");
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 8);
  ::lseek(file.get(), 6, SEEK_SET);
  EXPECT_EQ(text(thread_calls::read(file.get(), into_, -1, patience(), error_)), "67");
  EXPECT_EQ(thread_calls::read(file.get(), into_, -1, patience(), error_), 0u);
  EXPECT_FALSE(error_) << "the end of a file is not an error";
}

TEST_F(ThreadCalls, PipesHonourDeadlines) {
  auto [from, to] = make_pipe();
  EXPECT_EQ(thread_calls::read(from.get(), into_, -1, soon(), error_), 0u);
  EXPECT_EQ(error_, std::errc::timed_out);
  EXPECT_EQ(thread_calls::read(from.get(), into_, -1, long_ago(), error_), 0u);
  EXPECT_EQ(error_, std::errc::timed_out);
  EXPECT_EQ(thread_calls::write(to.get(), bytes_of("abc"), -1, long_ago(), error_), 3u);
  EXPECT_FALSE(error_);
  EXPECT_EQ(text(thread_calls::read(from.get(), into_, -1, long_ago(), error_)), "abc");
  EXPECT_EQ(thread_calls::read(from.get(), into_, 0, patience(), error_), 0u);
  EXPECT_EQ(error_, std::errc::invalid_seek);
}

// poll(2) says that there is room, for one page; a plain write of more would block until a reader
// comes.
TEST_F(ThreadCalls, ALargeWriteToAPipeDoesNotOutliveItsDeadline) {
  auto [from, to] = make_pipe();
  const std::vector<std::byte> much(1024 * 1024);
  const std::size_t count = thread_calls::write(to.get(), much, -1, patience(), error_);
  EXPECT_FALSE(error_);
  EXPECT_GT(count, 0u);
  EXPECT_LT(count, much.size());
  EXPECT_EQ(thread_calls::write(to.get(), much, -1, soon(), error_), 0u);
  EXPECT_EQ(error_, std::errc::timed_out);
  EXPECT_FALSE(non_blocking(to.get()));
}

// inotify descriptors do not know RWF_NOWAIT, event descriptors do.
TEST_F(ThreadCalls, OtherDescriptorsHonourDeadlines) {
  const unique_fd watch(::inotify_init1(IN_CLOEXEC));
  thread_calls::read(watch.get(), into_, -1, soon(), error_);
  EXPECT_EQ(error_, std::errc::timed_out);
  ASSERT_GE(::inotify_add_watch(watch.get(), "/proc/self", IN_OPEN), 0);
  const unique_fd opened(::open("/proc/self", O_RDONLY | O_CLOEXEC));
  EXPECT_GT(thread_calls::read(watch.get(), into_, -1, long_ago(), error_), 0u);
  EXPECT_FALSE(error_);
  const unique_fd event(::eventfd(0, EFD_CLOEXEC));
  thread_calls::read(event.get(), into_, -1, soon(), error_);
  EXPECT_EQ(error_, std::errc::timed_out);
  const std::uint64_t one = 1;
  EXPECT_EQ(
      thread_calls::write(event.get(), std::as_bytes(std::span(&one, 1)), -1, patience(), error_),
      sizeof(one));
  EXPECT_EQ(thread_calls::read(event.get(), into_, -1, patience(), error_), sizeof(one));
  EXPECT_FALSE(error_);
}

bool sigpipe_pending() {
  sigset_t pending;
  sigpending(&pending);
  return sigismember(&pending, SIGPIPE) == 1;
}

bool sigpipe_blocked() {
  sigset_t blocked;
  pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  return sigismember(&blocked, SIGPIPE) == 1;
}

// SIGPIPE has its default action here: if it were raised the test would die.
TEST_F(ThreadCalls, SigpipeIsNeverRaised) {
  ASSERT_FALSE(sigpipe_blocked());
  for (auto make : {+[] { return make_pipe(); }, +[] { return make_sockets(); }}) {
    for (const deadline until : {deadline::never(), patience(), long_ago()}) {
      auto [from, to] = make();
      from.reset();
      EXPECT_EQ(thread_calls::write(to.get(), bytes_of("x"), -1, until, error_), 0u);
      EXPECT_EQ(error_, std::errc::broken_pipe);
      EXPECT_FALSE(sigpipe_pending());
      EXPECT_FALSE(sigpipe_blocked());
    }
  }
  auto [here, there] = make_sockets();
  here.reset();
  EXPECT_EQ(thread_calls::send(there.get(), bytes_of("x"), patience(), error_), 0u);
  EXPECT_EQ(error_, std::errc::broken_pipe);
}

TEST_F(ThreadCalls, ASigpipeOfOthersStaysPending) {
  sigset_t only_sigpipe;
  sigset_t before;
  sigemptyset(&only_sigpipe);
  sigaddset(&only_sigpipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &only_sigpipe, &before);
  pthread_kill(pthread_self(), SIGPIPE);
  auto [from, to] = make_pipe();
  from.reset();
  thread_calls::write(to.get(), bytes_of("x"), -1, patience(), error_);
  EXPECT_EQ(error_, std::errc::broken_pipe);
  EXPECT_TRUE(sigpipe_pending());
  EXPECT_TRUE(sigpipe_blocked());
  const timespec at_once{};
  sigtimedwait(&only_sigpipe, nullptr, &at_once);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Sends signals without SA_RESTART to the thread that made it, more often than any deadline below,
// until it is gone.
class signal_rain {
 public:
  signal_rain() {
    struct sigaction action {};
    action.sa_handler = [](int) { ++fallen; };
    sigaction(SIGUSR1, &action, &before_);
    fallen = 0;
    thread_ = std::thread([this, target = pthread_self()] {
      while (!over_) {
        pthread_kill(target, SIGUSR1);
        std::this_thread::yield();
      }
    });
  }
  ~signal_rain() {
    over_ = true;
    thread_.join();
    sigaction(SIGUSR1, &before_, nullptr);
  }
  signal_rain(const signal_rain&) = delete;
  signal_rain& operator=(const signal_rain&) = delete;

  static inline std::atomic<int> fallen{0};

 private:
  struct sigaction before_ {};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

// Each call has to wait, is interrupted all the time, and returns at its deadline, not before and
// not never.
TEST_F(ThreadCalls, SignalsNeitherEndNorProlongACall) {
  const fd_pair sockets = make_sockets();
  const unix_listener listener;
  const fd_pair pipe = make_pipe();
  const std::vector<std::byte> much(4 * 1024 * 1024);
  const signal_rain rain;
  const auto expect_timed_out = [&](const char* call, auto&& operation) {
    const int fallen_before = signal_rain::fallen;
    // On a busy machine no signal may come in time.
    for (const deadline limit = patience(); !limit.passed();) {
      const deadline until = soon();
      operation(until);
      EXPECT_EQ(error_, std::errc::timed_out) << call;
      EXPECT_TRUE(until.passed()) << call;
      if (signal_rain::fallen > fallen_before) return;
    }
    ADD_FAILURE() << call << " was never interrupted";
  };
  peer_address peer;
  expect_timed_out("recv", [&](deadline until) {
    thread_calls::recv(sockets.first.get(), into_, until, error_);
  });
  expect_timed_out("send", [&](deadline until) {
    thread_calls::send(sockets.first.get(), much, until, error_);
  });
  expect_timed_out("accept", [&](deadline until) {
    thread_calls::accept(listener.fd.get(), peer, until, error_);
  });
  expect_timed_out("read", [&](deadline until) {
    thread_calls::read(pipe.first.get(), into_, -1, until, error_);
  });
  const deadline until = soon();
  thread_calls::sleep_until(until, error_);
  EXPECT_TRUE(until.passed()) << "sleep_until";
}

// Without a deadline a read blocks in the call itself.
TEST_F(ThreadCalls, SignalsDoNotEndABlockingRead) {
  const fd_pair pipe = make_pipe();
  const signal_rain rain;
  std::thread writer([fd = pipe.second.get()] {
    const deadline limit = patience();
    while (signal_rain::fallen < 1000 && !limit.passed()) std::this_thread::yield();
    EXPECT_EQ(::write(fd, "x", 1), 1);
  });
  EXPECT_EQ(thread_calls::read(pipe.first.get(), into_, -1, deadline::never(), error_), 1u);
  EXPECT_FALSE(error_) << error_.message();
  writer.join();
}

TEST_F(ThreadCalls, SleepUntilEndsWhenItPassed) {
  const deadline until = soon();
  thread_calls::sleep_until(until, error_);
  EXPECT_FALSE(error_) << error_.message();
  EXPECT_TRUE(until.passed());
  // None of these waits.
  thread_calls::sleep_until(long_ago(), error_);
  thread_calls::sleep_until(deadline(deadline::clock::time_point()), error_);
  thread_calls::sleep_until(deadline(deadline::clock::time_point::min()), error_);
}

TEST_F(ThreadCalls, TheEarliestDeadlineIsLikeAnyThatPassed) {
  auto [here, there] = make_sockets();
  const deadline earliest(deadline::clock::time_point::min());
  EXPECT_EQ(thread_calls::recv(here.get(), into_, earliest, error_), 0u);
  EXPECT_EQ(error_, std::errc::timed_out);
}

}  // namespace
}  // namespace umcg::io
