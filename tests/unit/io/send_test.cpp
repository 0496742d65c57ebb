// SPDX-License-Identifier: MIT

// Sending, at every site: all of it arrives however slowly the peer reads, and when the peer goes
// away in between, the call ends with an error; send_then_recv in all the ways its two parts end.

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <string>

#include <gtest/gtest.h>

#include "io/operations.hpp"
#include "unit/io/call_site.hpp"
#include "unit/io/sockets.hpp"

namespace umcg::io {
namespace {

using testing::bytes_of;
using testing::patience;
using testing::text_of;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

class sending : public testing::site_test {
 protected:
  std::string received(std::size_t count) const { return text_of(std::span(into).first(count)); }
  void expect_gone() const {
    EXPECT_TRUE(error == std::errc::connection_reset || error == std::errc::broken_pipe)
        << error.message();
  }

  std::array<std::byte, 64> into{};
  std::error_code error = std::make_error_code(std::errc::io_error);
};

INSTANTIATE_TEST_SUITE_P(at, sending, testing::all_sites(), testing::site_name);

TEST_P(sending, all_arrives_although_the_peer_reads_late_and_little) {
  for (const bool tcp : {true, false}) {
    testing::fd_pair ends = tcp ? testing::tcp_pair() : testing::unix_pair();
    testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
    const auto bytes = testing::numbered_bytes(mebibyte + 7);
    site().start([&] {
      EXPECT_EQ(send(ends.here.get(), bytes, patience(), error), bytes.size());
      EXPECT_FALSE(error);
    });
    site().wait_until_blocked();  // the buffers are full
    std::vector<std::byte> arrived;
    while (arrived.size() < bytes.size()) {
      const auto part = testing::take(ends.there.get(),
                                      std::min<std::size_t>(4999, bytes.size() - arrived.size()));
      ASSERT_FALSE(part.empty());
      arrived.insert(arrived.end(), part.begin(), part.end());
    }
    site().join();
    EXPECT_EQ(arrived, bytes);
  }
  site().join();
}

TEST_P(sending, some_is_what_the_kernel_takes_at_once) {
  const testing::fd_pair ends = testing::tcp_pair();
  testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
  auto bytes = testing::numbered_bytes(8 * mebibyte);
  site().run([&] {
    const iovec parts[] = {{bytes.data(), 1000}, {bytes.data() + 1000, bytes.size() - 1000}};
    const std::size_t sent = send_some(ends.here.get(), parts, patience(), error);
    EXPECT_FALSE(error);
    EXPECT_GT(sent, 1000u);
    EXPECT_LT(sent, bytes.size());
    const auto arrived = testing::take(ends.there.get(), sent);
    EXPECT_TRUE(std::equal(arrived.begin(), arrived.end(), bytes.begin()));
  });
}

TEST_P(sending, nothing_is_done_at_once) {
  const testing::fd_pair ends = testing::tcp_pair();
  site().run([&] {
    EXPECT_EQ(send(ends.here.get(), {}, patience(), error), 0u);
    EXPECT_FALSE(error);
  });
}

TEST_P(sending, to_a_peer_that_has_gone_is_an_error) {
  testing::fd_pair ends = testing::tcp_pair();
  testing::reset(ends.there);
  site().run([&] {
    send(ends.here.get(), bytes_of("x"), patience(), error);
    expect_gone();
    send(ends.here.get(), bytes_of("x"), patience(), error);
    expect_gone();
  });
}

TEST_P(sending, ends_when_the_peer_goes_in_between) {
  testing::fd_pair ends = testing::tcp_pair();
  testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
  const auto bytes = testing::numbered_bytes(16 * mebibyte);
  site().start([&] {
    EXPECT_LT(send(ends.here.get(), bytes, deadline::never(), error), bytes.size());
    expect_gone();
  });
  site().wait_until_blocked();
  testing::reset(ends.there);
  site().join();
}

using turn_around = sending;
INSTANTIATE_TEST_SUITE_P(at, turn_around, testing::all_sites(), testing::site_name);

TEST_P(turn_around, sends_and_receives) {
  const testing::fd_pair ends = testing::tcp_pair();
  site().start([&] {
    for (int round = 0; round < 100; ++round) {
      EXPECT_EQ(send_then_recv(ends.here.get(), bytes_of("question"), into, patience(), error), 6u);
      EXPECT_FALSE(error);
      EXPECT_EQ(received(6), "answer");
    }
  });
  for (int round = 0; round < 100; ++round) {
    EXPECT_EQ(text_of(testing::take(ends.there.get(), 8)), "question");
    testing::put(ends.there.get(), "answer");
  }
  site().join();
}

TEST_P(turn_around, only_receives_when_there_is_nothing_to_send) {
  const testing::fd_pair ends = testing::tcp_pair();
  testing::put(ends.there.get(), "answer");
  site().run([&] {
    EXPECT_EQ(send_then_recv(ends.here.get(), {}, into, patience(), error), 6u);
    EXPECT_FALSE(error);
  });
}

// Nothing is received before all has left, however much has come by then.
TEST_P(turn_around, sends_a_lot_to_a_slow_peer_first) {
  const testing::fd_pair ends = testing::tcp_pair();
  testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
  const auto bytes = testing::numbered_bytes(mebibyte);
  testing::put(ends.there.get(), "early");
  std::atomic<bool> returned = false;
  site().start([&] {
    EXPECT_EQ(send_then_recv(ends.here.get(), bytes, into, patience(), error), 5u);
    returned = true;
    EXPECT_FALSE(error);
    EXPECT_EQ(received(5), "early");
  });
  site().wait_until_blocked();
  EXPECT_FALSE(returned);
  const auto arrived = testing::take(ends.there.get(), bytes.size());
  site().join();
  EXPECT_EQ(arrived, bytes);
  site().join();
}

TEST_P(turn_around, sees_the_peer_close) {
  testing::fd_pair ends = testing::tcp_pair();
  site().start([&] {
    EXPECT_EQ(send_then_recv(ends.here.get(), bytes_of("question"), into, patience(), error), 0u);
    EXPECT_FALSE(error);
  });
  site().wait_until_blocked();
  EXPECT_EQ(text_of(testing::take(ends.there.get(), 8)), "question");
  EXPECT_EQ(::shutdown(ends.there.get(), SHUT_WR), 0);
  site().join();
}

TEST_P(turn_around, sees_a_reset_while_it_receives) {
  testing::fd_pair ends = testing::tcp_pair();
  site().start([&] {
    EXPECT_EQ(send_then_recv(ends.here.get(), bytes_of("question"), into, patience(), error), 0u);
    EXPECT_EQ(error, std::errc::connection_reset);
  });
  site().wait_until_blocked();
  testing::reset(ends.there);
  site().join();
}

TEST_P(turn_around, sees_a_reset_before_it_sends) {
  testing::fd_pair ends = testing::tcp_pair();
  testing::reset(ends.there);
  site().run([&] {
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(send_then_recv(ends.here.get(), bytes_of("x"), into, deadline::never(), error), 0u);
      expect_gone();
    }
  });
}

// Part of it has left: the send falls short.
TEST_P(turn_around, sees_a_reset_while_it_sends) {
  testing::fd_pair ends = testing::tcp_pair();
  testing::set_buffer_sizes(ends.here.get(), 16 * 1024);
  const auto bytes = testing::numbered_bytes(16 * mebibyte);
  site().start([&] {
    EXPECT_EQ(send_then_recv(ends.here.get(), bytes, into, deadline::never(), error), 0u);
    expect_gone();
  });
  site().wait_until_blocked();
  testing::reset(ends.there);
  site().join();
}

TEST_P(turn_around, of_no_socket_is_an_error) {
  site().run([&] {
    EXPECT_EQ(send_then_recv(-1, bytes_of("x"), into, deadline::never(), error), 0u);
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
  });
}

// The kernel sends less than 2 GiB at once and calls that all. The bytes are one page of zeros that
// is mapped again and again, and the peer drops them unread.
TEST_P(turn_around, sends_more_than_the_kernel_takes_in_one_call) {
  constexpr std::size_t size = (std::size_t{2} << 30) + mebibyte;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) GTEST_SKIP() << "2 GiB of address space cannot be had";
  const testing::fd_pair ends = testing::tcp_pair();
  site().start([&] {
    const std::span out(static_cast<const std::byte*>(memory), size);
    EXPECT_EQ(send_then_recv(ends.here.get(), out, into, patience(), error), 4u);
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

}  // namespace
}  // namespace umcg::io
