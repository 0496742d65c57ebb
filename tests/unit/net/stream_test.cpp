// SPDX-License-Identifier: MIT

// What a stream promises without a deadline in sight: bytes in order, half-close, ends, resets,
// ownership.

#include "umcg/net/stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <array>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>

#include <gtest/gtest.h>

#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using namespace loopback;

static_assert(std::is_nothrow_move_constructible_v<stream>);
static_assert(std::is_nothrow_move_assignable_v<stream>);
static_assert(!std::is_copy_constructible_v<stream>);

std::string read_one(stream& from, std::error_code& error) {
  std::array<char, 64> text;
  const std::size_t count = from.read_some(asio::buffer(text), error);
  return {text.data(), count};
}

bool no_delay(const stream& peer) {
  int on = 0;
  socklen_t size = sizeof(on);
  ::getsockopt(peer.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, &size);
  return on != 0;
}

class StreamOverLoopback : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string reason = missing_family(parse_endpoint(GetParam()));
    if (!reason.empty()) GTEST_SKIP() << reason;
    pair_ = connected_pair(GetParam());
  }

  stream& client() { return pair_.client; }
  stream& server() { return pair_.server; }

  stream_pair pair_;
  std::error_code error_ = std::make_error_code(std::errc::io_error);
};

INSTANTIATE_TEST_SUITE_P(Addresses, StreamOverLoopback, testing::Values("127.0.0.1:0", "[::1]:0"),
                         [](const auto& values) {
                           return std::string(values.param[0] == '[' ? "IPv6" : "IPv4");
                         });

TEST_P(StreamOverLoopback, EchoesBothWays) {
  EXPECT_EQ(client().write(asio::buffer("question", 8), error_), 8u);
  EXPECT_FALSE(error_);
  EXPECT_EQ(read_one(server(), error_), "question");
  EXPECT_EQ(server().write_some(asio::buffer("answer", 6), error_), 6u);
  EXPECT_FALSE(error_);
  EXPECT_EQ(read_one(client(), error_), "answer");
  EXPECT_FALSE(error_);
}

TEST_P(StreamOverLoopback, BothEndsSendAtOnceAndAreClosedOnExec) {
  for (const stream* end : {&client(), &server()}) {
    EXPECT_TRUE(no_delay(*end));
    EXPECT_TRUE(has_flag(end->native_handle(), F_GETFD, FD_CLOEXEC));
    EXPECT_FALSE(has_flag(end->native_handle(), F_GETFL, O_NONBLOCK));
  }
  client().set_no_delay(false);
  EXPECT_FALSE(no_delay(client()));
  client().set_no_delay(true, error_);
  EXPECT_FALSE(error_);
  EXPECT_TRUE(no_delay(client()));
}

TEST_P(StreamOverLoopback, EndpointsOfBothEndsAgree) {
  EXPECT_EQ(client().local_endpoint(), server().remote_endpoint());
  EXPECT_EQ(client().remote_endpoint(), server().local_endpoint(error_));
  EXPECT_FALSE(error_);
  EXPECT_EQ(client().remote_endpoint().address(), parse_endpoint(GetParam()).address());
  EXPECT_NE(client().remote_endpoint().port(), 0);
}

TEST_P(StreamOverLoopback, ClientHalfClosesAndReadsOn) {
  client().write(asio::buffer("last", 4));
  client().shutdown_send(error_);
  EXPECT_FALSE(error_);
  EXPECT_EQ(read_one(server(), error_), "last");
  EXPECT_EQ(read_one(server(), error_), "");
  EXPECT_EQ(error_, asio::error::eof);
  server().write(asio::buffer("reply", 5));
  EXPECT_EQ(read_one(client(), error_), "reply");
  client().write_some(asio::buffer("x", 1), error_);
  EXPECT_EQ(error_, asio::error::broken_pipe);
}

TEST_P(StreamOverLoopback, ServerHalfClosesAndReadsOn) {
  server().shutdown_send();
  EXPECT_EQ(read_one(client(), error_), "");
  EXPECT_EQ(error_, asio::error::eof);
  client().write(asio::buffer("still", 5), error_);
  EXPECT_FALSE(error_);
  EXPECT_EQ(read_one(server(), error_), "still");
  EXPECT_FALSE(error_);
}

TEST_P(StreamOverLoopback, ShutdownReceiveEndsAReadInProgress) {
  std::atomic<int> reader_id{0};
  std::error_code error;
  std::thread reader([&] {
    reader_id = ::gettid();
    read_one(client(), error);
  });
  while (reader_id == 0) std::this_thread::yield();
  wait_until_asleep(reader_id);
  client().shutdown_receive(error_);
  reader.join();
  EXPECT_FALSE(error_);
  EXPECT_EQ(error, asio::error::eof);
  client().write(asio::buffer("out", 3), error_);
  EXPECT_FALSE(error_);
  EXPECT_EQ(read_one(server(), error_), "out");
}

TEST_P(StreamOverLoopback, ShutdownBothEndsReadingWritingAndThePeersReading) {
  client().shutdown_both(error_);
  EXPECT_FALSE(error_);
  read_one(client(), error_);
  EXPECT_EQ(error_, asio::error::eof);
  client().write(asio::buffer("x", 1), error_);
  EXPECT_EQ(error_, asio::error::broken_pipe);
  read_one(server(), error_);
  EXPECT_EQ(error_, asio::error::eof);
}

TEST_P(StreamOverLoopback, CloseDeliversWhatWasWritten) {
  client().write(asio::buffer("bye", 3));
  client().close();
  client().close();
  EXPECT_FALSE(client().is_open());
  EXPECT_EQ(read_one(server(), error_), "bye");
  read_one(server(), error_);
  EXPECT_EQ(error_, asio::error::eof);
}

TEST_P(StreamOverLoopback, AResetIsAnError) {
  reset_on_close(client());
  client().close();
  read_one(server(), error_);
  EXPECT_EQ(error_, asio::error::connection_reset);
  server().write(asio::buffer("x", 1), error_);
  EXPECT_EQ(error_, asio::error::broken_pipe);
  server().remote_endpoint(error_);
  EXPECT_EQ(error_, asio::error::not_connected);
  server().shutdown_send(error_);
  EXPECT_EQ(error_, asio::error::not_connected);
}

TEST_P(StreamOverLoopback, WriteThenReadSomeIsOneTurn) {
  std::array<char, 16> answer;
  server().write(asio::buffer("first", 5));
  std::size_t count =
      client().write_then_read_some(asio::buffer("ask", 3), asio::buffer(answer), error_);
  EXPECT_FALSE(error_);
  EXPECT_EQ(std::string_view(answer.data(), count), "first");
  EXPECT_EQ(read_one(server(), error_), "ask");

  // Nothing to send is a read, no room to read into is a write.
  server().write(asio::buffer("second", 6));
  count = client().write_then_read_some(asio::const_buffer(), asio::buffer(answer), error_);
  EXPECT_FALSE(error_);
  EXPECT_EQ(std::string_view(answer.data(), count), "second");
  count = client().write_then_read_some(asio::buffer("more", 4), asio::mutable_buffer());
  EXPECT_EQ(count, 0u);
  EXPECT_EQ(read_one(server(), error_), "more");

  server().shutdown_send();
  client().write_then_read_some(asio::buffer("end", 3), asio::buffer(answer), error_);
  EXPECT_EQ(error_, asio::error::eof);
  EXPECT_EQ(read_one(server(), error_), "end");
  client().shutdown_both();
  client().write_then_read_some(asio::buffer("x", 1), asio::buffer(answer), error_);
  EXPECT_EQ(error_, asio::error::broken_pipe);
}

TEST(Stream, EmptyBuffersNeitherWaitNorFail) {
  auto [client, server] = connected_pair();
  std::error_code error = std::make_error_code(std::errc::io_error);
  EXPECT_EQ(client.read_some(asio::mutable_buffer(), error), 0u);
  EXPECT_FALSE(error);
  error = std::make_error_code(std::errc::io_error);
  EXPECT_EQ(client.write_some(std::array<asio::const_buffer, 3>(), error), 0u);
  EXPECT_FALSE(error);
  error = std::make_error_code(std::errc::io_error);
  EXPECT_EQ(client.write(asio::const_buffer(), error), 0u);
  EXPECT_FALSE(error);
}

TEST(Stream, ThatIsNotOpenReportsBadDescriptor) {
  stream closed;
  std::array<char, 4> text;
  std::error_code error;
  EXPECT_FALSE(closed.is_open());
  EXPECT_EQ(closed.native_handle(), -1);
  const auto expect_bad_descriptor = [&](const char* operation) {
    EXPECT_EQ(error, asio::error::bad_descriptor) << operation;
    error.clear();
  };
  closed.read_some(asio::buffer(text), error);
  expect_bad_descriptor("read_some");
  closed.write_some(asio::buffer(text), error);
  expect_bad_descriptor("write_some");
  closed.write(asio::buffer(text), error);
  expect_bad_descriptor("write");
  closed.write_then_read_some(asio::buffer(text), asio::buffer(text), error);
  expect_bad_descriptor("write_then_read_some");
  closed.shutdown_send(error);
  expect_bad_descriptor("shutdown_send");
  closed.local_endpoint(error);
  expect_bad_descriptor("local_endpoint");
  closed.set_no_delay(true, error);
  expect_bad_descriptor("set_no_delay");
  closed.write_some(asio::const_buffer(), error);
  EXPECT_FALSE(error) << "an empty sequence reaches no descriptor";
  closed.close();
}

// Every throwing overload reports what the other one does and names itself.
TEST(Stream, ThrowingOverloadsNameTheOperation) {
  stream closed;
  std::array<char, 4> text;
  const auto text_of = [](auto operation) -> std::string {
    try {
      operation();
    } catch (const asio::system_error& failure) {
      EXPECT_EQ(failure.code(), asio::error::bad_descriptor);
      return std::string(failure.what()).substr(0, std::string(failure.what()).find(':'));
    }
    return "no exception";
  };
  EXPECT_EQ(text_of([&] { closed.read_some(asio::buffer(text)); }), "read_some");
  EXPECT_EQ(text_of([&] { closed.write_some(asio::buffer(text)); }), "write_some");
  EXPECT_EQ(text_of([&] { closed.write(asio::buffer(text)); }), "write");
  EXPECT_EQ(text_of([&] { closed.write_then_read_some(asio::buffer(text), asio::buffer(text)); }),
            "write_then_read_some");
  EXPECT_EQ(text_of([&] { closed.shutdown_send(); }), "shutdown_send");
  EXPECT_EQ(text_of([&] { closed.shutdown_receive(); }), "shutdown_receive");
  EXPECT_EQ(text_of([&] { closed.shutdown_both(); }), "shutdown_both");
  EXPECT_EQ(text_of([&] { static_cast<void>(closed.local_endpoint()); }), "local_endpoint");
  EXPECT_EQ(text_of([&] { static_cast<void>(closed.remote_endpoint()); }), "remote_endpoint");
  EXPECT_EQ(text_of([&] { closed.set_no_delay(true); }), "set_no_delay");
}

TEST(Stream, ConnectReportsRefusal) {
  endpoint nobody;
  {
    const listener gone = listener::bind(parse_endpoint("127.0.0.1:0"));
    nobody = gone.local_endpoint();
  }
  std::error_code error;
  EXPECT_FALSE(stream::connect(nobody, patience(), error).is_open());
  EXPECT_EQ(error, asio::error::connection_refused);
  try {
    stream::connect(nobody, patience());
    FAIL() << "connected to nobody";
  } catch (const asio::system_error& failure) {
    EXPECT_EQ(failure.code(), asio::error::connection_refused);
    EXPECT_NE(std::string(failure.what()).find("connect to " + to_string(nobody)),
              std::string::npos);
  }
}

TEST(Stream, MovesWithItsDeadlineAndLeavesNothing) {
  auto [client, server] = connected_pair();
  const deadline until = patience();
  client.expires_at(until);
  const int fd = client.native_handle();

  stream moved(std::move(client));
  EXPECT_EQ(moved.native_handle(), fd);
  EXPECT_EQ(moved.expiry(), until);
  EXPECT_FALSE(client.is_open());  // NOLINT(bugprone-use-after-move): what is left is promised
  EXPECT_TRUE(client.expiry().is_never());

  moved = stream();
  EXPECT_FALSE(moved.is_open());
  std::error_code error;
  read_one(server, error);
  EXPECT_EQ(error, asio::error::eof) << "the stream that was assigned to did not close";

  stream& same = server;
  server = std::move(same);
  EXPECT_TRUE(server.is_open());
}

TEST(Stream, ReleaseGivesTheDescriptorUp) {
  auto [client, server] = connected_pair();
  const int fd = client.release();
  EXPECT_FALSE(client.is_open());
  client.close();
  EXPECT_TRUE(has_flag(fd, F_GETFD, FD_CLOEXEC)) << "release() closed it";
  stream again(fd);
  again.write(asio::buffer("on", 2));
  server.expires_at(patience());
  std::error_code error;
  EXPECT_EQ(read_one(server, error), "on");
}

TEST(Stream, DestructorCloses) {
  auto [client, server] = connected_pair();
  { const stream dying(std::move(client)); }
  std::error_code error;
  read_one(server, error);
  EXPECT_EQ(error, asio::error::eof);
}

TEST(Stream, EndpointOfAnotherFamilyIsAnError) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const stream one(ends[0]);
  const stream other(ends[1]);
  std::error_code error;
  EXPECT_EQ(one.local_endpoint(error), endpoint());
  EXPECT_EQ(error, asio::error::address_family_not_supported);
}

}  // namespace
}  // namespace umcg::net
