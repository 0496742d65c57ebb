// SPDX-License-Identifier: MIT

#include "umcg/tls/stream.hpp"

#include <array>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "umcg/group.hpp"
#include "unit/tls/scripted_stream.hpp"
#include "unit/tls/tls_pair.hpp"

namespace umcg::tls {
namespace {

using namespace net::loopback;
using namespace tls::testing;

template <class Stream>
concept sync_stream = requires(Stream s, std::vector<asio::mutable_buffer> into,
                               std::vector<asio::const_buffer> out, std::error_code error) {
  { s.read_some(into) } -> std::same_as<std::size_t>;
  { s.read_some(into, error) } -> std::same_as<std::size_t>;
  { s.write_some(out) } -> std::same_as<std::size_t>;
  { s.write_some(out, error) } -> std::same_as<std::size_t>;
};
static_assert(sync_stream<stream<>>);
static_assert(sync_stream<stream<net::stream&>>);
static_assert(lower_stream<stream<>>, "TLS runs over TLS");

class TlsStream : public of_each_version {};
INSTANTIATE_TEST_SUITE_P(, TlsStream, ::testing::Values(version::tls_1_2, version::tls_1_3),
                         version_name);

TEST_P(TlsStream, WorksWithAsio) {
  tls_pair pair = good_pair();
  asio::write(pair.client, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
  std::string text;
  const std::size_t line = asio::read_until(pair.server, asio::dynamic_buffer(text), "\r\n");
  EXPECT_EQ(text.substr(0, line), "GET / HTTP/1.1\r\n");
  const std::array<asio::const_buffer, 3> parts = {asio::buffer("ab", 2), asio::const_buffer(),
                                                   asio::buffer("c", 1)};
  EXPECT_EQ(pair.server.write_some(parts), 3U);
  EXPECT_EQ(pair.server.write_some(asio::const_buffer()), 0U);
  char letters[3];
  EXPECT_EQ(asio::read(pair.client, asio::buffer(letters)), 3U);
  EXPECT_EQ(std::string(letters, 3), "abc");
  EXPECT_EQ(pair.client.write_then_read_some({}, {}), 0U);
}

// One reader and one writer at each end at once, with records of all sizes.
TEST_P(TlsStream, CarriesBytesBothWaysAtOnce) {
  tls_pair pair = good_pair();
  const std::vector<std::byte> sent = numbered_bytes(1'500'001);
  const auto write = [&sent](stream<>& to) {
    std::size_t size = 1;
    for (std::size_t at = 0; at < sent.size(); size = size * 3 % 100'003) {
      at += asio::write(to, asio::buffer(sent.data() + at, std::min(size, sent.size() - at)));
    }
    to.shutdown_send();
  };
  const auto read = [&sent](stream<>& from) {
    std::vector<std::byte> received;
    std::error_code error;
    asio::read(from, asio::dynamic_buffer(received), error);
    EXPECT_EQ(error, asio::error::eof);
    EXPECT_TRUE(received == sent);
  };
  std::thread threads[] = {std::thread([&] { write(pair.client); }),
                           std::thread([&] { write(pair.server); }),
                           std::thread([&] { read(pair.client); })};
  read(pair.server);
  for (std::thread& each : threads) each.join();
}

TEST_P(TlsStream, TurnsAroundInOneCall) {
  tls_pair pair = good_pair();
  const std::vector<std::byte> asked = numbered_bytes(100'000);
  std::thread server([&] {
    std::vector<std::byte> received(asked.size());
    asio::read(pair.server, asio::buffer(received));
    asio::write(pair.server, asio::buffer(received));
  });
  std::vector<std::byte> answer(asked.size());
  const std::size_t first =
      pair.client.write_then_read_some(asio::buffer(asked), asio::buffer(answer));
  EXPECT_GT(first, 0U);
  asio::read(pair.client, asio::buffer(answer) + first);
  EXPECT_TRUE(answer == asked);
  server.join();
}

TEST_P(TlsStream, TellsAnEndFromATruncation) {
  for (const bool says_goodbye : {true, false}) {
    tls_pair pair = good_pair();
    asio::write(pair.client, asio::buffer("all", 3));
    if (says_goodbye) pair.client.shutdown_send();
    pair.client.next_layer().shutdown_send();
    const std::error_code end =
        says_goodbye ? std::error_code(asio::error::eof) : make_error_code(errc::stream_truncated);
    std::string text;
    std::error_code error;
    asio::read(pair.server, asio::dynamic_buffer(text), error);
    EXPECT_EQ(text, "all");
    EXPECT_EQ(error, end);
    EXPECT_EQ(pair.server.read_some(asio::buffer(text), error), 0U);
    EXPECT_EQ(error, end);
    EXPECT_EQ(pair.server.write_some(asio::buffer("y", 1)), 1U);  // the other way is still open
    EXPECT_EQ(pair.client.read_some(asio::buffer(text)), 1U);
    EXPECT_EQ(text, "yll");
  }
}

TEST_P(TlsStream, WritesNoMoreAfterItsGoodbye) {
  tls_pair pair = good_pair();
  pair.client.shutdown_send();
  pair.client.shutdown_send();
  std::error_code error;
  EXPECT_EQ(pair.client.write_some(asio::buffer("x", 1), error), 0U);
  EXPECT_EQ(error, asio::error::broken_pipe);
}

TEST_P(TlsStream, ReadsOnAfterADeadline) {
  tls_pair pair = good_pair();
  char letter = 0;
  std::error_code error;
  pair.server.expires_at(soon());
  EXPECT_EQ(pair.server.read_some(asio::buffer(&letter, 1), error), 0U);
  EXPECT_EQ(error, asio::error::timed_out);
  pair.server.expires_at(patience());
  asio::write(pair.client, asio::buffer("z", 1));
  EXPECT_EQ(pair.server.read_some(asio::buffer(&letter, 1)), 1U);
  EXPECT_EQ(letter, 'z');
}

// A part of a record has left: what came after it would be read as the rest of it.
TEST_P(TlsStream, WritesNoMoreAfterADeadline) {
  tls_pair pair = good_pair();
  const std::vector<std::byte> much = numbered_bytes(64 * 1024);
  std::error_code error;
  pair.client.expires_at(soon());
  while (!error) pair.client.write_some(asio::buffer(much), error);
  EXPECT_EQ(error, asio::error::timed_out);
  pair.client.expires_at(patience());
  EXPECT_EQ(pair.client.write_some(asio::buffer(much), error), 0U);
  EXPECT_EQ(error, asio::error::broken_pipe);
  pair.client.shutdown_send(error);
  EXPECT_EQ(error, asio::error::broken_pipe);
}

// All that was said has left, and only the answer is missing.
TEST_P(TlsStream, SaysGoodbyeAfterADeadline) {
  const auto talk = [this] {
    tls_pair pair = good_pair();
    char letter = 0;
    std::error_code error;
    pair.server.expires_at(soon());
    pair.server.write_then_read_some(asio::buffer("w", 1), asio::buffer(&letter, 1), error);
    EXPECT_EQ(error, asio::error::timed_out);
    pair.server.expires_at(patience());
    pair.server.shutdown_send(error);
    EXPECT_FALSE(error) << error.message();
    EXPECT_EQ(pair.client.read_some(asio::buffer(&letter, 1)), 1U);
    pair.client.read_some(asio::buffer(&letter, 1), error);
    EXPECT_EQ(error, asio::error::eof);
  };
  talk();
  for (const char* const reactor : {"auto", "epoll"}) {
    SCOPED_TRACE(reactor);
    group::start({.servers = 1, .reactor = reactor}).spawn(talk).join();
  }
}

TEST_P(TlsStream, LeavesOpenSslsErrorsBehindNoCall) {
  ERR_raise(ERR_LIB_USER, 1);
  tls_pair pair = good_pair();
  EXPECT_EQ(ERR_peek_error(), 0UL);
  ERR_raise(ERR_LIB_USER, 1);
  asio::write(pair.client, asio::buffer("x", 1));
  ERR_raise(ERR_LIB_USER, 1);
  char letter = 0;
  EXPECT_EQ(pair.server.read_some(asio::buffer(&letter, 1)), 1U);
  EXPECT_EQ(ERR_peek_error(), 0UL);
  std::error_code error;
  pair.client.next_layer().write(asio::buffer("this is no record", 17));
  pair.server.read_some(asio::buffer(&letter, 1), error);
  EXPECT_EQ(error.category(), openssl_category());
  EXPECT_EQ(ERR_peek_error(), 0UL);
  std::error_code again;
  pair.server.read_some(asio::buffer(&letter, 1), again);
  EXPECT_EQ(again, error);
  pair.client.read_some(asio::buffer(&letter, 1), error);
  EXPECT_NE(error.message().find("alert"), std::string::npos) << error.message();
}

TEST_P(TlsStream, ServesManyOnWorkers) {
  const server_context as_server = server_context::load(serving());
  const client_context as_client = client_context::load(trusting());
  net::listener accepting = net::listener::bind(net::parse_endpoint("127.0.0.1:0"));
  constexpr int connections = 20;
  std::atomic<int> echoed = 0;
  group workers = group::start({.servers = 2});
  for (int i = 0; i < connections; ++i) {
    workers
        .spawn([&] {
          stream peer(accepting.accept(patience()));
          peer.expires_at(patience());
          peer.handshake(as_server);
          std::string text;
          std::error_code error;
          asio::read(peer, asio::dynamic_buffer(text), error);
          EXPECT_EQ(error, asio::error::eof);
          asio::write(peer, asio::buffer(text));
          peer.shutdown_send();
        })
        .detach();
    workers
        .spawn([&, i] {
          stream peer(net::stream::connect(accepting.local_endpoint(), patience()));
          peer.expires_at(patience());
          peer.handshake(as_client, "server.example");
          const std::string text(static_cast<std::size_t>(1 + i * 2'000),
                                 static_cast<char>('a' + i));
          asio::write(peer, asio::buffer(text));
          peer.shutdown_send();
          std::string answer;
          std::error_code error;
          asio::read(peer, asio::dynamic_buffer(answer), error);
          echoed += error == asio::error::eof && answer == text;
        })
        .detach();
  }
  workers.stop();
  EXPECT_EQ(echoed, connections);
}

TEST(tls_stream, changes_keys_while_bytes_flow) {
  tls_pair pair = shake(server_context::load({.certificates = {own_files()}}),
                        client_context::load(trusting()));
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    SSL_key_update(pair.client.native_handle(), SSL_KEY_UPDATE_REQUESTED);
    asio::write(pair.client, asio::buffer(&letter, 1));
    char received = 0;
    EXPECT_EQ(pair.server.read_some(asio::buffer(&received, 1)), 1U);
    asio::write(pair.server, asio::buffer(&received, 1));
    EXPECT_EQ(pair.client.read_some(asio::buffer(&received, 1)), 1U);
    EXPECT_EQ(received, letter);
  }
}

TEST(tls_stream, is_of_no_use_before_the_handshake) {
  stream<scripted_stream> bare{scripted_stream()};
  char letter = 0;
  std::error_code error;
  bare.read_some(asio::buffer(&letter, 1), error);
  EXPECT_EQ(error, asio::error::not_connected);
  bare.write_some(asio::buffer(&letter, 1), error);
  EXPECT_EQ(error, asio::error::not_connected);
  EXPECT_THROW(bare.shutdown_send(), std::system_error);
  EXPECT_EQ(bare.protocol(), "");
  EXPECT_FALSE(bare.peer());
}

}  // namespace
}  // namespace umcg::tls
