// SPDX-License-Identifier: MIT

// What is particular to the epoll reactor: numbers of descriptors that are used again, also by
// files that live on under another number; the mode that sockets are left in; what epoll cannot
// watch; and workers that never have to wait.

#include <fcntl.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "io/operations.hpp"
#include "io/reactor.hpp"
#include "umcg/group.hpp"
#include "unit/io/sockets.hpp"
#include "unit/sched/group_test.hpp"

namespace umcg::io {
namespace {

using testing::bytes_of;
using testing::patience;
using testing::soon;
using testing::text_of;
using testing::unique_fd;

class epoll_reactor : public testing::group_test {
 protected:
  void SetUp() override {
    const std::string missing = testing::why_no_group("epoll");
    if (!missing.empty()) GTEST_SKIP() << missing;
    on_.emplace(group::start({.servers = 1, .reactor = "epoll"}));
  }

  template <class Work>
  void run(Work work) {
    on_->spawn(std::move(work)).join();
  }

  // Waits once, in vain: the reactor knows the socket from then on.
  void make_known(const descriptor& fd) {
    run([&] {
      recv(fd, into, soon(), error);
      EXPECT_EQ(error, std::errc::timed_out);
    });
  }

  std::optional<group> on_;
  std::error_code error;
  std::array<std::byte, 64> into{};
};

// A number means another file, and the registration of the earlier one has gone with it.
TEST_F(epoll_reactor, knows_a_new_file_by_its_serial) {
  testing::fd_pair first = testing::tcp_pair();
  const int number = first.here.get();
  make_known({number, new_serial()});
  const testing::fd_pair second = testing::tcp_pair();
  ASSERT_EQ(::dup2(second.here.get(), number), number);
  const worker receiving = on_->spawn([&, serial = new_serial()] {
    EXPECT_EQ(recv({number, serial}, into, patience(), error), 4u) << error.message();
  });
  run([] {});
  testing::put(second.there.get(), "late");
}

TEST_F(epoll_reactor, asks_for_the_file_of_who_does_not_say) {
  for (int round = 0; round < 3; ++round) {
    const testing::fd_pair ends = testing::unix_pair();  // the numbers of the last round
    const worker receiving = on_->spawn(
        [&] { EXPECT_EQ(recv(ends.here.get(), into, patience(), error), 4u) << error.message(); });
    run([] {});
    testing::put(ends.there.get(), "late");
  }
}

// The first file lives on under another number, and so does its registration under this one. What
// arrives there is no news of the second file: a connect that is under way has not succeeded.
TEST_F(epoll_reactor, does_not_take_an_earlier_file_for_this_one) {
  testing::fd_pair first = testing::unix_pair();
  const int number = first.here.get();
  make_known({number, new_serial()});
  const unique_fd elsewhere(::dup(number));
  testing::tcp_listener full(0);
  const unique_fd queued = full.connected();
  const unique_fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::dup2(socket.get(), number), number);
  const worker connecting = on_->spawn([&, serial = new_serial()] {
    connect({number, serial}, testing::plain(full.address), sizeof full.address, soon(), error);
    EXPECT_EQ(error, std::errc::timed_out);
  });
  run([] {});
  testing::put(first.there.get(), "news");
}

// To close what somebody waits for is an error of the program. The one who waits does not get bytes
// of the next file.
TEST_F(epoll_reactor, ends_who_waits_for_a_number_that_another_file_has) {
  testing::fd_pair first = testing::unix_pair();
  const int number = first.here.get();
  std::error_code of_the_first;
  const worker waiting = on_->spawn([&, serial = new_serial()] {
    std::array<std::byte, 8> bytes{};
    EXPECT_EQ(recv({number, serial}, bytes, deadline::never(), of_the_first), 0u);
  });
  run([] {});
  first.here.reset();
  const testing::fd_pair second = testing::unix_pair();
  ASSERT_TRUE(second.here.get() == number || second.there.get() == number);
  const int peer = second.here.get() == number ? second.there.get() : second.here.get();
  const worker receiving = on_->spawn([&, serial = new_serial()] {
    EXPECT_EQ(recv({number, serial}, into, patience(), error), 4u) << error.message();
  });
  run([] {});
  testing::put(peer, "mine");
  EXPECT_TRUE(testing::becomes_true([&] { return on_->workers() == 0; }));
  EXPECT_EQ(of_the_first, std::errc::bad_file_descriptor);
}

TEST_F(epoll_reactor, leaves_sockets_in_the_mode_they_are_in) {
  testing::tcp_listener listening;
  const unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  run([&] {
    peer_address peer{};
    connect(client.get(), testing::plain(listening.address), sizeof listening.address, patience(),
            error);
    const unique_fd server(accept(listening.fd.get(), peer, patience(), error));
    EXPECT_FALSE(error) << error.message();
    recv(server.get(), into, soon(), error);
    EXPECT_EQ(::fcntl(server.get(), F_GETFL) & O_NONBLOCK, 0);
  });
  EXPECT_EQ(::fcntl(client.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(listening.fd.get(), F_GETFL) & O_NONBLOCK, 0) << "as the header says";
}

// Which the kernel reads without blocking only where it knows how.
TEST_F(epoll_reactor, reads_what_knows_no_way_to_read_without_blocking) {
  const unique_fd zeros(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  const unique_fd counter(::eventfd(3, EFD_CLOEXEC));
  run([&] {
    EXPECT_EQ(read(zeros.get(), into, 0, patience(), error), into.size()) << error.message();
    EXPECT_EQ(text_of(std::span(into).first(5)), "Name:");
    EXPECT_EQ(read(counter.get(), std::span(into).first(8), -1, patience(), error), 8u);
    EXPECT_EQ(into[0], std::byte{3});
    read(counter.get(), std::span(into).first(8), -1, soon(), error);
    EXPECT_EQ(error, std::errc::timed_out);
  });
}

// Two workers that send each other what is there at once leave room for a third.
TEST_F(epoll_reactor, lets_others_run_beside_one_that_never_waits) {
  const testing::fd_pair ends = testing::unix_pair();
  std::atomic<bool> over = false;
  const worker busy = on_->spawn([&] {
    std::array<std::byte, 1> byte{};
    std::error_code failed;
    while (!over && !failed) {
      send(ends.here.get(), byte, patience(), failed);
      recv(ends.there.get(), byte, patience(), failed);
    }
    EXPECT_FALSE(failed) << failed.message();
  });
  const testing::fd_pair others = testing::unix_pair();
  const worker other = on_->spawn([&] {
    EXPECT_EQ(recv(others.here.get(), into, patience(), error), 2u) << error.message();
    over = true;
  });
  testing::put(others.there.get(), "go");
}

}  // namespace
}  // namespace umcg::io
