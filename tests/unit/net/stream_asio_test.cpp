// SPDX-License-Identifier: MIT

// A stream is one of Asio's synchronous streams: its composed operations and buffer types work on
// it.

#include <array>
#include <istream>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include <asio/completion_condition.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using namespace loopback;

// The named requirements SyncReadStream and SyncWriteStream.
template <class Stream>
concept sync_stream = requires(Stream s, std::vector<asio::mutable_buffer> into,
                               std::vector<asio::const_buffer> out, std::error_code error) {
  { s.read_some(into) } -> std::same_as<std::size_t>;
  { s.read_some(into, error) } -> std::same_as<std::size_t>;
  { s.write_some(out) } -> std::same_as<std::size_t>;
  { s.write_some(out, error) } -> std::same_as<std::size_t>;
};
static_assert(sync_stream<stream>);

template <class Buffers>
concept readable_into = requires(stream s, Buffers buffers) {
  s.read_some(buffers);
};
static_assert(readable_into<asio::mutable_buffer>);
static_assert(readable_into<std::list<asio::mutable_buffer>>);
static_assert(!readable_into<asio::const_buffer>, "reading into constant memory must not compile");
static_assert(!readable_into<std::string>);

class StreamWithAsio : public testing::Test {
 protected:
  stream_pair pair_ = connected_pair();
  stream& client_ = pair_.client;
  stream& server_ = pair_.server;
  std::error_code error_;
};

TEST_F(StreamWithAsio, ReadEndsWithEofAndCountsWhatCame) {
  asio::write(client_, asio::buffer("12345", 5));
  client_.shutdown_send();
  std::array<char, 10> text{};
  EXPECT_EQ(asio::read(server_, asio::buffer(text), error_), 5u);
  EXPECT_EQ(error_, asio::error::eof);
  EXPECT_EQ(std::string(text.data()), "12345");
  EXPECT_THROW(asio::read(server_, asio::buffer(text)), asio::system_error);
}

TEST_F(StreamWithAsio, ReadStopsWhenFull) {
  asio::write(client_, asio::buffer("12345", 5));
  std::array<char, 3> text{};
  EXPECT_EQ(asio::read(server_, asio::buffer(text)), 3u);
  EXPECT_EQ(asio::read(server_, asio::buffer(text), asio::transfer_exactly(2)), 2u);
  EXPECT_EQ(std::string(text.data(), 3), "453");
}

TEST_F(StreamWithAsio, ReadUntilADelimiterIntoAString) {
  asio::write(client_, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: a\r\n")));
  std::string text;
  const std::size_t line = asio::read_until(server_, asio::dynamic_buffer(text), "\r\n");
  EXPECT_EQ(text.substr(0, line), "GET / HTTP/1.1\r\n");
  text.erase(0, line);
  EXPECT_EQ(asio::read_until(server_, asio::dynamic_buffer(text), '\n', error_), 9u);
  EXPECT_FALSE(error_);
  EXPECT_EQ(text, "Host: a\r\n");
  client_.shutdown_send();
  text.clear();
  EXPECT_EQ(asio::read_until(server_, asio::dynamic_buffer(text), '\n', error_), 0u);
  EXPECT_EQ(error_, asio::error::eof);
}

TEST_F(StreamWithAsio, StreambufBothWays) {
  asio::streambuf out;
  std::ostream(&out) << "one two\nthree";
  EXPECT_EQ(asio::write(client_, out), 13u);
  client_.shutdown_send();
  asio::streambuf in;
  EXPECT_EQ(asio::read_until(server_, in, '\n'), 8u);
  asio::read(server_, in, error_);
  EXPECT_EQ(error_, asio::error::eof);
  std::string first, second, third;
  std::istream(&in) >> first >> second >> third;
  EXPECT_EQ(first + '/' + second + '/' + third, "one/two/three");
}

TEST_F(StreamWithAsio, LargeTransferKeepsEveryByteInOrder) {
  const std::vector<std::byte> sent = numbered_bytes(3'000'001);
  std::thread writer([&] {
    EXPECT_EQ(asio::write(client_, asio::buffer(sent)), sent.size());
    client_.shutdown_send();
  });
  std::vector<std::byte> received;
  asio::read(server_, asio::dynamic_buffer(received), error_);
  writer.join();
  EXPECT_EQ(error_, asio::error::eof);
  EXPECT_TRUE(received == sent);
}

// Pieces of 0, 1, 2, ... bytes: many more than one system call takes, with empty ones among them.
template <class Buffer, class Bytes>
std::list<Buffer> pieces_of(Bytes& bytes) {
  std::list<Buffer> pieces;
  std::size_t at = 0;
  for (std::size_t size = 0; at < bytes.size(); ++size) {
    const std::size_t taken = std::min(size, bytes.size() - at);
    pieces.push_back(Buffer(bytes.data() + at, taken));
    pieces.push_back(Buffer());
    at += taken;
  }
  return pieces;
}

TEST_F(StreamWithAsio, GathersAndScattersAnyNumberOfBuffers) {
  const std::vector<std::byte> sent = numbered_bytes(5'000);
  std::vector<std::byte> received(sent.size());
  const auto out = pieces_of<asio::const_buffer>(sent);
  const auto into = pieces_of<asio::mutable_buffer>(received);
  ASSERT_GT(out.size(), 6 * stream::buffers_max);
  EXPECT_EQ(asio::write(client_, out), sent.size());
  EXPECT_EQ(asio::read(server_, into), sent.size());
  EXPECT_TRUE(received == sent);
}

TEST_F(StreamWithAsio, OneCallTakesTheFirstBuffersOnly) {
  const std::vector<std::byte> sent = numbered_bytes(2 * stream::buffers_max);
  std::vector<asio::const_buffer> out;
  for (const std::byte& byte : sent) out.emplace_back(&byte, 1);
  EXPECT_EQ(client_.write_some(out), stream::buffers_max);
  EXPECT_EQ(client_.write_some(asio::buffer(sent) + stream::buffers_max), stream::buffers_max);

  std::vector<std::byte> received(sent.size());
  asio::read(server_, asio::buffer(received));
  EXPECT_TRUE(received == sent);
  client_.write(asio::buffer(sent));
  std::fill(received.begin(), received.end(), std::byte{0});
  std::vector<asio::mutable_buffer> into;
  for (std::byte& byte : received) into.emplace_back(&byte, 1);
  EXPECT_EQ(server_.read_some(into), stream::buffers_max);
  EXPECT_TRUE(std::equal(sent.begin(), sent.begin() + stream::buffers_max, received.begin()));
  EXPECT_EQ(received[stream::buffers_max], std::byte{0});
}

// A byte that hides behind many empty buffers is found: returning 0 for it would read as an empty
// sequence.
TEST_F(StreamWithAsio, EmptyBuffersDoNotUseUpTheList) {
  std::vector<asio::const_buffer> out(3 * stream::buffers_max);
  out.push_back(asio::buffer("x", 1));
  EXPECT_EQ(client_.write_some(out), 1u);
  char letter = 0;
  std::vector<asio::mutable_buffer> into(3 * stream::buffers_max);
  into.push_back(asio::buffer(&letter, 1));
  EXPECT_EQ(server_.read_some(into), 1u);
  EXPECT_EQ(letter, 'x');
}

}  // namespace
}  // namespace umcg::net
