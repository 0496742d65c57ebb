// SPDX-License-Identifier: MIT

// Streams and listeners on workers keep the promises that the other tests of this folder check on
// plain threads: there the calls wait in ppoll, here in the reactor of a server.

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <asio/read.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include "umcg/group.hpp"
#include "unit/io/reactor_test.hpp"
#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using loopback::connected_pair;
using loopback::long_ago;
using loopback::numbered_bytes;
using loopback::patience;
using loopback::reset_on_close;
using loopback::soon;

const endpoint any_port = parse_endpoint("127.0.0.1:0");

class OnWorker : public testing::reactor_test {
 protected:
  // One server: where two workers talk to each other, each of them has to let the other go on.
  void SetUp() override {
    reactor_test::SetUp();
    if (!IsSkipped()) workers_.emplace(start({.servers = 1}));
  }

  // Runs `body` on a worker and waits for its end.
  void run(const std::function<void()>& body) { spawn(body).join(); }
  worker spawn(const std::function<void()>& body) {
    return workers_->spawn([&body] { body(); });
  }

  std::optional<group> workers_;
  std::array<char, 16> text_{};
  std::error_code error_;
};

INSTANTIATE_TEST_SUITE_P(Over, OnWorker, testing::all_reactors(), testing::reactor_name);

TEST_P(OnWorker, EchoesWithinOneServer) {
  listener accepting = listener::bind(any_port);
  const std::function<void()> answer = [&] {
    stream peer = accepting.accept(patience());
    std::array<char, 16> question;
    for (std::error_code error; !error;) {
      const std::size_t count = peer.read_some(asio::buffer(question), error);
      if (!error) peer.write(asio::buffer(question, count));
    }
  };
  worker server = spawn(answer);
  run([&] {
    stream peer = stream::connect(accepting.local_endpoint(), patience());
    peer.expires_at(patience());
    for (int round = 0; round < 100; ++round) {
      EXPECT_EQ(peer.write_then_read_some(asio::buffer("ping", 4), asio::buffer(text_), error_),
                4u);
      EXPECT_FALSE(error_) << error_.message();
    }
    EXPECT_EQ(std::string_view(text_.data(), 4), "ping");
  });
  server.join();
}

TEST_P(OnWorker, LargeTransferKeepsEveryByteInOrder) {
  const std::vector<std::byte> sent = numbered_bytes(3'000'001);
  std::vector<std::byte> received(sent.size() + 1);
  auto [client, server] = connected_pair();
  const std::function<void()> write = [&, &from = client] {
    EXPECT_EQ(from.write(asio::buffer(sent), error_), sent.size());
    EXPECT_FALSE(error_) << error_.message();
    from.shutdown_send();
  };
  worker writer = spawn(write);
  run([&, &into = server] {
    std::error_code error;
    EXPECT_EQ(asio::read(into, asio::buffer(received), error), sent.size());
    EXPECT_EQ(error, asio::error::eof);
  });
  writer.join();
  received.resize(sent.size());
  EXPECT_TRUE(received == sent);
}

TEST_P(OnWorker, GathersAndScatters) {
  auto [client, server] = connected_pair();
  run([&, &from = client, &into = server] {
    const std::array<asio::const_buffer, 3> out = {asio::buffer("one", 3), asio::const_buffer(),
                                                   asio::buffer("two", 3)};
    EXPECT_EQ(asio::write(from, out), 6u);
    const std::array<asio::mutable_buffer, 2> parts = {asio::buffer(text_, 4),
                                                       asio::buffer(text_) + 8};
    EXPECT_EQ(into.read_some(parts, error_), 6u);
    EXPECT_EQ(std::string_view(text_.data(), 4), "onet");
    EXPECT_EQ(std::string_view(text_.data() + 8, 2), "wo");
  });
}

TEST_P(OnWorker, EndsAndResetsAreErrors) {
  auto [client, server] = connected_pair();
  auto [other_client, other_server] = connected_pair();
  run([&, &one = client, &two = server, &three = other_client, &four = other_server] {
    one.shutdown_send();
    two.read_some(asio::buffer(text_), error_);
    EXPECT_EQ(error_, asio::error::eof);
    one.write(asio::buffer("x", 1), error_);
    EXPECT_EQ(error_, asio::error::broken_pipe);
    one.write_then_read_some(asio::buffer("x", 1), asio::buffer(text_), error_);
    EXPECT_EQ(error_, asio::error::broken_pipe);
    reset_on_close(three);
    three.close();
    four.read_some(asio::buffer(text_), error_);
    EXPECT_EQ(error_, asio::error::connection_reset);
    three.read_some(asio::buffer(text_), error_);
    EXPECT_EQ(error_, asio::error::bad_descriptor);
  });
}

TEST_P(OnWorker, ReadsEndAtTheirDeadline) {
  auto [client, server] = connected_pair();
  run([&, &peer = client] {
    for (const deadline until : {soon(), long_ago()}) {
      peer.expires_at(until);
      EXPECT_EQ(peer.read_some(asio::buffer(text_), error_), 0u);
      EXPECT_EQ(error_, asio::error::timed_out);
      EXPECT_TRUE(until.passed()) << "too early";
      peer.write_then_read_some(asio::buffer("ask", 3), asio::buffer(text_), error_);
      EXPECT_EQ(error_, asio::error::timed_out);
    }
  });
}

TEST_P(OnWorker, APassedDeadlineStillTriesOnce) {
  auto [client, server] = connected_pair();
  listener accepting = listener::bind(any_port);
  const stream queued = stream::connect(accepting.local_endpoint(), patience());
  run([&, &from = client, &into = server] {
    from.write(asio::buffer("late", 4));
    into.read_some(asio::buffer(text_, 1));  // now the rest is known to be there
    into.expires_at(long_ago());
    EXPECT_EQ(into.read_some(asio::buffer(text_), error_), 3u);
    EXPECT_FALSE(error_) << error_.message();
    into.write(asio::buffer("room", 4), error_);
    EXPECT_FALSE(error_) << error_.message();
    EXPECT_TRUE(accepting.accept(long_ago(), error_).is_open());
    EXPECT_FALSE(error_) << error_.message();
  });
}

TEST_P(OnWorker, WriteCountsWhatLeftBeforeItsDeadline) {
  auto [client, server] = connected_pair();
  const int size = 256 * 1024;
  ::setsockopt(client.native_handle(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  ::setsockopt(server.native_handle(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  const std::vector<std::byte> bytes = numbered_bytes(8 * 1024 * 1024);
  std::vector<std::byte> received(bytes.size());
  run([&, &from = client, &into = server] {
    from.expires_at(soon());
    const std::size_t count = from.write(asio::buffer(bytes), error_);
    EXPECT_EQ(error_, asio::error::timed_out);
    EXPECT_GT(count, 0u);
    EXPECT_LT(count, bytes.size());
    from.shutdown_send();
    EXPECT_EQ(asio::read(into, asio::buffer(received), error_), count);
    EXPECT_EQ(error_, asio::error::eof);
    received.resize(count);
  });
  EXPECT_TRUE(std::equal(received.begin(), received.end(), bytes.begin()));
}

TEST_P(OnWorker, ATurnEndsAtItsDeadlineInEitherHalf) {
  auto [client, server] = connected_pair();
  const std::vector<std::byte> much = numbered_bytes(64 * 1024 * 1024);
  run([&, &peer = client, &other = server] {
    peer.expires_at(soon());
    peer.write_then_read_some(asio::buffer("ask", 3), asio::buffer(text_), error_);
    EXPECT_EQ(error_, asio::error::timed_out);
    EXPECT_EQ(asio::read(other, asio::buffer(text_, 3)), 3u);
    peer.expires_at(soon());
    peer.write_then_read_some(asio::buffer(much), asio::buffer(text_), error_);
    EXPECT_EQ(error_, asio::error::timed_out);
  });
}

TEST_P(OnWorker, AcceptAndConnectEndAtTheirDeadline) {
  listener full = listener::bind(any_port, {.backlog = 0});
  listener quiet = listener::bind(any_port);
  run([&] {
    EXPECT_FALSE(quiet.accept(soon(), error_).is_open());
    EXPECT_EQ(error_, asio::error::timed_out);
    std::vector<stream> queued;
    error_.clear();
    while (!error_ && queued.size() < 10) {
      queued.push_back(stream::connect(full.local_endpoint(), soon(), error_));
    }
    EXPECT_EQ(error_, asio::error::timed_out);
  });
}

TEST_P(OnWorker, ConnectReportsRefusal) {
  listener stopped = listener::bind(any_port);
  stopped.stop();
  run([&] {
    EXPECT_FALSE(stream::connect(stopped.local_endpoint(), patience(), error_).is_open());
    EXPECT_EQ(error_, asio::error::connection_refused);
  });
}

TEST_P(OnWorker, StopEndsEveryAccept) {
  listener stopping = listener::bind(any_port);
  std::array<std::error_code, 8> errors;
  std::array<std::function<void()>, 8> bodies;
  std::array<worker, 8> accepters;
  for (std::size_t index = 0; index < errors.size(); ++index) {
    bodies[index] = [&, index] { stopping.accept(deadline::never(), errors[index]); };
    accepters[index] = spawn(bodies[index]);
  }
  run([] { yield(); });  // the only server has run all of them by now
  stopping.stop();
  for (worker& each : accepters) each.join();
  for (const std::error_code& error : errors) EXPECT_EQ(error, asio::error::operation_aborted);
  run([&] { stopping.accept(deadline::never(), error_); });
  EXPECT_EQ(error_, asio::error::operation_aborted);
}

TEST_P(OnWorker, ShutdownReceiveEndsAReadInProgress) {
  auto [client, server] = connected_pair();
  const std::function<void()> read = [&, &peer = client] {
    peer.read_some(asio::buffer(text_), error_);
  };
  worker reader = spawn(read);
  run([] { yield(); });
  client.shutdown_receive();
  reader.join();
  EXPECT_EQ(error_, asio::error::eof);
}

TEST_P(OnWorker, TheDescriptorLimitIsReportedAndLosesNoConnection) {
  listener accepting = listener::bind(any_port);
  const stream client = stream::connect(accepting.local_endpoint(), patience());
  run([&] {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = ::open("/", O_RDONLY | O_CLOEXEC);
    ::close(next);
    const rlimit none{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    accepting.accept(patience(), error_);
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_EQ(error_, asio::error::no_descriptors);
    EXPECT_TRUE(accepting.accept(patience(), error_).is_open());
    EXPECT_FALSE(error_) << error_.message();
  });
}

}  // namespace
}  // namespace umcg::net
