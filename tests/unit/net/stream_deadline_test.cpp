// SPDX-License-Identifier: MIT

// Deadlines of streams: what is ready is done however late it is, and nothing waits beyond them.

#include <sys/socket.h>

#include <array>
#include <vector>

#include <asio/read.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using namespace loopback;

class StreamDeadline : public testing::Test {
 protected:
  StreamDeadline() {
    // Limits keep the kernel from growing the buffers until everything fits.
    const int size = 256 * 1024;
    ::setsockopt(client_.native_handle(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    ::setsockopt(server_.native_handle(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  }

  // Writes until the kernel takes no more and returns how much that was.
  std::size_t fill(stream& into) {
    into.expires_at(long_ago());
    return into.write(asio::buffer(bytes_), error_);
  }

  // What arrives until the peer closed, the first bytes of bytes_.
  std::size_t drain(stream& from) {
    std::vector<std::byte> received(bytes_.size() + 1);
    std::error_code error;
    const std::size_t count = asio::read(from, asio::buffer(received), error);
    EXPECT_EQ(error, asio::error::eof);
    received.resize(count);
    EXPECT_TRUE(std::equal(received.begin(), received.end(), bytes_.begin()));
    return count;
  }

  stream_pair pair_ = connected_pair();
  stream& client_ = pair_.client;
  stream& server_ = pair_.server;
  const std::vector<std::byte> bytes_ = numbered_bytes(8 * 1024 * 1024);
  std::array<char, 16> text_{};
  std::error_code error_;
};

TEST_F(StreamDeadline, ReadEndsWhenItPasses) {
  const deadline until = soon();
  client_.expires_at(until);
  EXPECT_EQ(client_.read_some(asio::buffer(text_), error_), 0u);
  EXPECT_EQ(error_, asio::error::timed_out);
  EXPECT_TRUE(until.passed()) << "too early";
  EXPECT_EQ(client_.expiry(), until);
}

TEST_F(StreamDeadline, ScatteredReadEndsWhenItPasses) {
  const std::array<asio::mutable_buffer, 2> two = {asio::buffer(text_, 8), asio::buffer(text_) + 8};
  client_.expires_at(soon());
  client_.read_some(two, error_);
  EXPECT_EQ(error_, asio::error::timed_out);
}

TEST_F(StreamDeadline, PassedButBytesAreThere) {
  server_.write(asio::buffer("late", 4));
  client_.expires_at(patience());
  client_.read_some(asio::buffer(text_, 1));  // now the rest is known to be there
  client_.expires_at(long_ago());
  EXPECT_EQ(client_.read_some(asio::buffer(text_), error_), 3u);
  EXPECT_FALSE(error_);
  client_.read_some(asio::buffer(text_), error_);
  EXPECT_EQ(error_, asio::error::timed_out);
}

TEST_F(StreamDeadline, PassedButThereIsRoom) {
  client_.expires_at(long_ago());
  EXPECT_EQ(client_.write(asio::buffer("ab", 2), error_), 2u);
  EXPECT_FALSE(error_);
  EXPECT_EQ(client_.write_some(asio::buffer("c", 1), error_), 1u);
  EXPECT_FALSE(error_);
  EXPECT_EQ(asio::read(server_, asio::buffer(text_, 3)), 3u);
  EXPECT_EQ(std::string(text_.data()), "abc");
}

TEST_F(StreamDeadline, WriteCountsWhatLeftBeforeIt) {
  client_.expires_at(soon());
  const std::size_t count = client_.write(asio::buffer(bytes_), error_);
  EXPECT_EQ(error_, asio::error::timed_out);
  EXPECT_GT(count, 0u);
  EXPECT_LT(count, bytes_.size());
  client_.shutdown_send();
  EXPECT_EQ(drain(server_), count);
}

TEST_F(StreamDeadline, WriteSomeEndsWhenItPasses) {
  std::size_t count = fill(client_);
  EXPECT_EQ(error_, asio::error::timed_out);
  // Room may appear once more while the peer's kernel acknowledges.
  client_.expires_at(soon());
  do {
    count += client_.write_some(asio::buffer(bytes_) + count, error_);
  } while (!error_ && count < bytes_.size());
  EXPECT_EQ(error_, asio::error::timed_out);
  client_.shutdown_send();
  EXPECT_EQ(drain(server_), count);
}

TEST_F(StreamDeadline, WriteGoesOnWhenThePeerReads) {
  client_.expires_at(patience());
  std::thread writer([&] {
    EXPECT_EQ(client_.write(asio::buffer(bytes_), error_), bytes_.size());
    client_.shutdown_send();
  });
  EXPECT_EQ(drain(server_), bytes_.size());
  writer.join();
  EXPECT_FALSE(error_);
}

TEST_F(StreamDeadline, TurnEndsInEitherHalf) {
  client_.expires_at(soon());
  client_.write_then_read_some(asio::buffer("ask", 3), asio::buffer(text_), error_);
  EXPECT_EQ(error_, asio::error::timed_out);
  EXPECT_EQ(asio::read(server_, asio::buffer(text_, 3)), 3u);
  client_.expires_at(soon());
  client_.write_then_read_some(asio::buffer(bytes_), asio::buffer(text_), error_);
  EXPECT_EQ(error_, asio::error::timed_out);
}

// The kernel drops the first packet of a connection for which the listener's queue has no room, so
// connecting hangs.
TEST(ConnectDeadline, PassesWhileThePeerIsSilent) {
  listener full = listener::bind(parse_endpoint("127.0.0.1:0"), {.backlog = 0});
  std::vector<stream> queued;
  std::error_code error;
  while (!error && queued.size() < 10) {
    queued.push_back(stream::connect(full.local_endpoint(), soon(), error));
  }
  EXPECT_EQ(error, asio::error::timed_out);
  EXPECT_GT(queued.size(), 1u);
  EXPECT_FALSE(queued.back().is_open());
}

TEST(ConnectDeadline, NeverWaitsWithoutOne) {
  listener accepting = listener::bind(parse_endpoint("127.0.0.1:0"));
  const stream connected = stream::connect(accepting.local_endpoint());
  EXPECT_TRUE(connected.is_open());
  EXPECT_TRUE(connected.expiry().is_never());
}

}  // namespace
}  // namespace umcg::net
