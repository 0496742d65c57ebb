// SPDX-License-Identifier: MIT

// The contract of io/operations.hpp, at every site: what the calls return when what they wait for
// is there, comes later, or never comes.

#include "io/operations.hpp"

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

using std::chrono::milliseconds;
using testing::bytes_of;
using testing::long_ago;
using testing::patience;
using testing::soon_duration;
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

TEST_P(operations, recv_takes_what_is_there) {
  testing::fd_pair ends = testing::tcp_pair();
  testing::put(ends.there.get(), "hello");
  site().run([&] {
    EXPECT_EQ(recv(ends.here.get(), into(), patience(), error), 5u);
    EXPECT_FALSE(error);
    EXPECT_EQ(received(5), "hello");
  });
}

TEST_P(operations, recv_waits_for_what_comes_later) {
  testing::fd_pair ends = testing::tcp_pair();
  site().start([&] {
    EXPECT_EQ(recv(ends.here.get(), into(), deadline::never(), error), 5u);
    EXPECT_FALSE(error);
    EXPECT_EQ(received(5), "hello");
  });
  site().wait_until_blocked();
  testing::put(ends.there.get(), "hello");
  site().join();
}

TEST_P(operations, recv_sees_the_peer_close) {
  testing::fd_pair ends = testing::tcp_pair();
  site().start([&] {
    EXPECT_EQ(recv(ends.here.get(), into(), patience(), error), 0u);
    EXPECT_FALSE(error);
    error = std::make_error_code(std::errc::io_error);
    EXPECT_EQ(recv(ends.here.get(), into(), patience(), error), 0u);  // and sees it again
    EXPECT_FALSE(error);
  });
  site().wait_until_blocked();
  ends.there.reset();
  site().join();
}

TEST_P(operations, recv_sees_a_reset) {
  testing::fd_pair ends = testing::tcp_pair();
  site().start([&] {
    EXPECT_EQ(recv(ends.here.get(), into(), patience(), error), 0u);
    EXPECT_EQ(error, std::errc::connection_reset);
    EXPECT_EQ(error.category(), std::system_category());
  });
  site().wait_until_blocked();
  testing::reset(ends.there);
  site().join();
}

TEST_P(operations, recv_of_no_socket_is_an_error) {
  site().run([&] {
    EXPECT_EQ(recv(-1, into(), patience(), error), 0u);
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
    const testing::fd_pair ends = testing::pipe_pair();
    EXPECT_EQ(recv(ends.here.get(), into(), patience(), error), 0u);
    EXPECT_EQ(error, std::errc::not_a_socket);
  });
}

TEST_P(operations, gather_and_scatter) {
  testing::fd_pair ends = testing::tcp_pair();
  site().run([&] {
    std::string hello = "hello, ";
    std::string world = "world";
    const iovec out[] = {{hello.data(), hello.size()}, {world.data(), world.size()}};
    EXPECT_EQ(send_some(ends.here.get(), out, patience(), error), 12u);
    EXPECT_FALSE(error);
    std::string first(4, '-');
    std::string second(20, '-');
    const iovec in[] = {{first.data(), first.size()}, {second.data(), second.size()}};
    EXPECT_EQ(recv_some(ends.there.get(), in, patience(), error), 12u);
    EXPECT_FALSE(error);
    EXPECT_EQ(first + second.substr(0, 8), "hello, world");
  });
}

TEST_P(operations, accept_takes_a_connection_and_names_the_peer) {
  testing::tcp_listener listening;
  for (const bool later : {false, true}) {
    unique_fd client;
    if (!later) client = listening.connected();
    int accepted = -1;
    peer_address peer{};
    site().start([&] { accepted = accept(listening.fd.get(), peer, patience(), error); });
    if (later) {
      site().wait_until_blocked();
      client = listening.connected();
    }
    site().join();
    EXPECT_FALSE(error);
    const unique_fd server(accepted);
    ASSERT_TRUE(server);
    EXPECT_NE(::fcntl(accepted, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(::fcntl(accepted, F_GETFL) & O_NONBLOCK, 0);
    sockaddr_in expected{};
    socklen_t size = sizeof expected;
    EXPECT_EQ(::getsockname(client.get(), testing::plain(expected), &size), 0);
    ASSERT_EQ(peer.size, sizeof(sockaddr_in));
    const auto& seen = reinterpret_cast<const sockaddr_in&>(peer.storage);
    EXPECT_EQ(seen.sin_port, expected.sin_port);
    EXPECT_EQ(seen.sin_addr.s_addr, expected.sin_addr.s_addr);
  }
  site().join();
}

TEST_P(operations, accept_ends_when_the_listener_is_shut_down) {
  testing::tcp_listener listening;
  site().start([&] {
    peer_address peer{};
    EXPECT_EQ(accept(listening.fd.get(), peer, deadline::never(), error), -1);
    EXPECT_EQ(error, std::errc::invalid_argument);
  });
  site().wait_until_blocked();
  ::shutdown(listening.fd.get(), SHUT_RDWR);
  site().join();
}

TEST_P(operations, connect_connects_or_says_why_not) {
  testing::tcp_listener listening;
  site().run([&] {
    const unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connect(client.get(), testing::plain(listening.address), sizeof listening.address, patience(),
            error);
    EXPECT_FALSE(error);
    EXPECT_EQ(::fcntl(client.get(), F_GETFL) & O_NONBLOCK, 0);
    const unique_fd server(::accept(listening.fd.get(), nullptr, nullptr));
    testing::put(server.get(), "hello");
    EXPECT_EQ(recv(client.get(), into(), patience(), error), 5u);

    listening.fd.reset();
    const unique_fd refused(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connect(refused.get(), testing::plain(listening.address), sizeof listening.address, patience(),
            error);
    EXPECT_EQ(error, std::errc::connection_refused);
  });
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

TEST_P(operations, sleep_until_is_never_early) {
  site().run([] {
    for (const auto duration : {milliseconds(0), milliseconds(1), milliseconds(7), soon_duration}) {
      const deadline until = deadline::after(duration);
      io::sleep_until(until);
      EXPECT_GE(deadline::clock::now(), until.when());
    }
    io::sleep_until(long_ago());
    io::sleep_until(deadline(deadline::clock::time_point::min()));
  });
}

}  // namespace
}  // namespace umcg::io
