// SPDX-License-Identifier: MIT

// The contract of io/operations.hpp at every site, as far as a real kernel is needed: files, pipes,
// epoll sets, the modes of sockets, sizes. contract/reactor_cases.hpp has the rest.

#include "io/operations.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "unit/io/call_site.hpp"
#include "unit/io/sockets.hpp"

namespace umcg::io {
namespace {

using testing::bytes_of;
using testing::long_ago;
using testing::patience;
using testing::text_of;
using testing::unique_fd;

class operations : public testing::site_test {
 protected:
  std::span<std::byte> into() { return into_; }
  std::string received(std::size_t count) const { return text_of(std::span(into_).first(count)); }

  std::error_code error = std::make_error_code(std::errc::io_error);

 private:
  std::array<std::byte, 64> into_{};
};

INSTANTIATE_TEST_SUITE_P(at, operations, testing::all_sites(), testing::site_name);

TEST_P(operations, recv_of_no_socket_is_an_error) {
  site().run([&] {
    EXPECT_EQ(recv(-1, into(), patience(), error), 0u);
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
    const testing::fd_pair ends = testing::pipe_pair();
    EXPECT_EQ(recv(ends.here.get(), into(), patience(), error), 0u);
    EXPECT_EQ(error, std::errc::not_a_socket);
  });
}

// Sets of descriptors are descriptors too.
TEST_P(operations, wait_until_ready_of_an_epoll_set) {
  const testing::fd_pair ends = testing::tcp_pair();
  const unique_fd set(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event wanted{.events = EPOLLIN, .data = {}};
  ASSERT_EQ(::epoll_ctl(set.get(), EPOLL_CTL_ADD, ends.here.get(), &wanted), 0);
  for (int round = 0; round < 3; ++round) {
    site().start([&] { wait_until_ready(set.get(), POLLIN, patience(), error); });
    site().wait_until_blocked();
    testing::put(ends.there.get(), "x");
    site().join();
    EXPECT_FALSE(error) << error.message();
    EXPECT_EQ(testing::take(ends.here.get(), 1).size(), 1u);
  }
}

TEST_P(operations, sockets_stay_in_blocking_mode_and_are_closed_by_exec) {
  testing::tcp_listener listening;
  site().run([&] {
    const unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connect(client.get(), testing::plain(listening.address), sizeof listening.address, patience(),
            error);
    EXPECT_FALSE(error) << error.message();
    peer_address peer{};
    const unique_fd server(accept(listening.fd.get(), peer, patience(), error));
    ASSERT_TRUE(server);
    EXPECT_NE(::fcntl(server.get(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(::fcntl(server.get(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(::fcntl(client.get(), F_GETFL) & O_NONBLOCK, 0);
  });
}

// The kernel sends less than 2 GiB at once and calls that all. The bytes are one page of zeros that
// is mapped again and again, and the peer drops them unread.
TEST_P(operations, send_then_recv_sends_more_than_the_kernel_takes_in_one_call) {
  constexpr std::size_t mebibyte = std::size_t{1} << 20;
  constexpr std::size_t size = (std::size_t{2} << 30) + mebibyte;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) GTEST_SKIP() << "2 GiB of address space cannot be had";
  const testing::fd_pair ends = testing::tcp_pair();
  site().start([&] {
    const std::span out(static_cast<const std::byte*>(memory), size);
    EXPECT_EQ(send_then_recv(ends.here.get(), out, into(), patience(), error), 4u);
    EXPECT_FALSE(error) << error.message();
  });
  std::size_t dropped = 0;
  const deadline limit = patience();
  while (dropped < size && !limit.passed()) {
    // Not through recv(): a sanitizer would believe that as many bytes are written as are dropped.
    const long count = ::syscall(SYS_recvfrom, ends.there.get(), nullptr, mebibyte,
                                 MSG_TRUNC | MSG_DONTWAIT, nullptr, nullptr);
    if (count > 0) dropped += static_cast<std::size_t>(count);
  }
  EXPECT_EQ(dropped, size);
  testing::put(ends.there.get(), "done");
  site().join();
  ::munmap(memory, size);
  site().join();
}

TEST_P(operations, files_are_read_and_written_at_offsets_and_at_the_position) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  ASSERT_NE(file, nullptr);
  site().run([&, fd = ::fileno(file.get())] {
    EXPECT_EQ(write(fd, bytes_of("0123456789"), -1, patience(), error), 10u);
    EXPECT_EQ(write(fd, bytes_of("ABC"), 4, patience(), error), 3u);
    EXPECT_EQ(::lseek(fd, 0, SEEK_CUR), 10) << "an offset moved the position";
    EXPECT_EQ(write(fd, bytes_of("xy"), -1, patience(), error), 2u);
    EXPECT_FALSE(error);
    EXPECT_EQ(read(fd, into(), 0, patience(), error), 12u);
    EXPECT_EQ(received(12), "0123ABC789xy");
    EXPECT_EQ(read(fd, into(), 9, patience(), error), 3u);
    EXPECT_EQ(received(3), "9xy");
    EXPECT_EQ(::lseek(fd, 2, SEEK_SET), 2);
    EXPECT_EQ(read(fd, into().first(3), -1, patience(), error), 3u);
    EXPECT_EQ(received(3), "23A");
    EXPECT_EQ(::lseek(fd, 0, SEEK_CUR), 5);
    EXPECT_EQ(read(fd, into(), 12, patience(), error), 0u) << "past the end";
    EXPECT_FALSE(error);
    EXPECT_EQ(read(-1, into(), 0, patience(), error), 0u);
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
  });
}

TEST_P(operations, pipes_are_waited_for) {
  testing::fd_pair ends = testing::pipe_pair();
  site().start([&] {
    EXPECT_EQ(read(ends.here.get(), into(), -1, patience(), error), 5u);
    EXPECT_EQ(received(5), "hello");
    EXPECT_EQ(read(ends.here.get(), into(), -1, patience(), error), 0u);
    EXPECT_FALSE(error);
  });
  site().wait_until_blocked();
  EXPECT_EQ(::write(ends.there.get(), "hello", 5), 5);
  site().wait_until_blocked();
  ends.there.reset();
  site().join();
}

// A write that the reader of the pipe has left is an error, and no signal kills the program.
TEST_P(operations, a_broken_pipe_is_an_error) {
  testing::fd_pair ends = testing::pipe_pair();
  ends.here.reset();
  site().run([&] {
    EXPECT_EQ(write(ends.there.get(), bytes_of("x"), -1, patience(), error), 0u);
    EXPECT_EQ(error, std::errc::broken_pipe);
  });
}

TEST_P(operations, files_and_pipes_gather_and_scatter) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  ASSERT_NE(file, nullptr);
  const testing::fd_pair ends = testing::pipe_pair();
  std::string hello = "hello, ";
  std::string world = "world";
  const iovec out[] = {{hello.data(), hello.size()}, {world.data(), world.size()}};
  std::string first(4, '-');
  std::string second(20, '-');
  const iovec in[] = {{first.data(), first.size()}, {second.data(), second.size()}};
  site().run([&, fd = ::fileno(file.get())] {
    EXPECT_EQ(write_some(fd, out, -1, patience(), error), 12u);
    EXPECT_EQ(write_some(fd, std::span(out).first(1), 5, patience(), error), 7u);
    EXPECT_EQ(::lseek(fd, 0, SEEK_CUR), 12) << "an offset moved the position";
    EXPECT_EQ(read_some(fd, in, 3, patience(), error), 9u);
    EXPECT_EQ(first + second.substr(0, 5), "lohello, ");
    EXPECT_EQ(read_some(fd, in, 12, patience(), error), 0u) << "past the end";
    EXPECT_FALSE(error);
    EXPECT_EQ(write_some(ends.there.get(), out, -1, patience(), error), 12u);
    EXPECT_EQ(read_some(ends.here.get(), in, -1, patience(), error), 12u);
    EXPECT_EQ(first + second.substr(0, 8), "hello, world");
    EXPECT_EQ(read_some(-1, in, -1, patience(), error), 0u);
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
    EXPECT_EQ(write_some(ends.here.get(), out, -1, patience(), error), 0u);
    EXPECT_EQ(error, std::errc::bad_file_descriptor) << "not open for writing";
  });
}

TEST_P(operations, wait_until_ready_sees_what_is_there_and_leaves_it) {
  const testing::fd_pair ends = testing::pipe_pair();
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  ASSERT_NE(file, nullptr);
  testing::put(ends.there.get(), "hello");
  site().run([&] {
    for (int round = 0; round < 2; ++round) {
      wait_until_ready(ends.here.get(), POLLIN, patience(), error);
      EXPECT_FALSE(error) << error.message();
      error = std::make_error_code(std::errc::io_error);
    }
    EXPECT_EQ(read(ends.here.get(), into(), -1, patience(), error), 5u);
    wait_until_ready(ends.here.get(), POLLIN, long_ago(), error);
    EXPECT_EQ(error, std::errc::timed_out);
    wait_until_ready(::fileno(file.get()), POLLIN, patience(), error);
    EXPECT_FALSE(error) << "a file is always ready: " << error.message();
    wait_until_ready(-1, POLLIN, patience(), error);
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
    wait_until_ready(1'000'000, POLLIN, patience(), error);
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
  });
}

}  // namespace
}  // namespace umcg::io
