// SPDX-License-Identifier: MIT

// Sockets other than TCP: streams over Unix-domain sockets, datagrams, and the options of all.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <asio/ip/multicast.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include "umcg/cancellation.hpp"
#include "umcg/net/datagram_socket.hpp"
#include "unit/io/call_site.hpp"
#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using namespace std::chrono_literals;
using loopback::long_ago;
using loopback::numbered_bytes;
using loopback::patience;
using loopback::soon;

const endpoint any_port = parse_endpoint("127.0.0.1:0");

// Where this process may make sockets; gone with it.
class folder {
 public:
  folder() {
    std::string name = std::filesystem::temp_directory_path() / "umcg-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~folder() { std::filesystem::remove_all(path_); }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  unix_endpoint socket() const { return parse_unix_endpoint((path_ / "socket").native()); }

 private:
  std::filesystem::path path_;
};

class SocketKinds : public testing::site_test {
 protected:
  folder folder_;
  std::array<char, 16> text_{};
  std::error_code error_;
};

INSTANTIATE_TEST_SUITE_P(At, SocketKinds, testing::all_sites(), testing::site_name);

TEST(UnixEndpoint, IsAPathOrAnAbstractName) {
  for (const char* text : {"/run/app.sock", "relative", "@app"}) {
    EXPECT_EQ(to_string(parse_unix_endpoint(text)), text);
  }
  EXPECT_EQ(parse_unix_endpoint("@app").path(), std::string("\0app", 4));
  std::error_code error;
  for (const std::string_view text :
       {std::string_view(), std::string_view("@"), std::string_view("a\0b", 3)}) {
    parse_unix_endpoint(text, error);
    EXPECT_EQ(error, asio::error::invalid_argument);
  }
  parse_unix_endpoint(std::string(107, 'x'), error);
  EXPECT_FALSE(error);
  parse_unix_endpoint(std::string(108, 'x'), error);
  EXPECT_EQ(error, asio::error::name_too_long);
  EXPECT_THROW(parse_unix_endpoint(""), std::system_error);
}

TEST_P(SocketKinds, StreamsOverAPathAndAnAbstractName) {
  const std::string name = "@umcg-test-" + std::to_string(::getpid());
  const std::vector<std::byte> sent = numbered_bytes(1'000'001);
  for (const unix_endpoint& where : {folder_.socket(), parse_unix_endpoint(name)}) {
    listener accepting = listener::bind(where);
    EXPECT_EQ(accepting.local_unix_endpoint(), where);
    site().start([&] {
      stream peer = accepting.accept(patience());
      peer.expires_at(patience());
      EXPECT_EQ(peer.local_unix_endpoint(), where);
      asio::write(peer, asio::buffer(sent));
    });
    site().run([&] {
      stream peer = stream::connect(where, patience());
      peer.expires_at(patience());
      EXPECT_EQ(peer.remote_unix_endpoint(), where);
      peer.remote_endpoint(error_);
      EXPECT_EQ(error_, asio::error::address_family_not_supported);
      std::vector<std::byte> received(sent.size() + 1);
      EXPECT_EQ(asio::read(peer, asio::buffer(received), error_), sent.size());
      EXPECT_EQ(error_, asio::error::eof);
      received.resize(sent.size());
      EXPECT_TRUE(received == sent);
    });
  }
}

TEST_P(SocketKinds, ThePeerOfAUnixStreamIsKnown) {
  const auto [here, there] = stream::pair();
  const peer_credentials peer = here.credentials();
  EXPECT_EQ(peer.process, ::getpid());
  EXPECT_EQ(peer.user, ::geteuid());
  EXPECT_EQ(peer.group, ::getegid());
  const auto over_tcp = loopback::connected_pair();
  over_tcp.client.credentials(error_);
  EXPECT_EQ(error_, asio::error::address_family_not_supported);
  stream().credentials(error_);
  EXPECT_EQ(error_, asio::error::bad_descriptor);
}

TEST_P(SocketKinds, ConnectsWaitForRoomInAUnixListener) {
  listener accepting = listener::bind(folder_.socket(), {.backlog = 0});
  std::vector<stream> queued;
  site().run([&] {
    while (!error_) queued.push_back(stream::connect(folder_.socket(), soon(), error_));
    EXPECT_EQ(error_, asio::error::timed_out);
    EXPECT_GE(queued.size(), 2u);
  });
  site().start([&] { EXPECT_TRUE(stream::connect(folder_.socket(), patience()).is_open()); });
  site().start([&] { EXPECT_TRUE(accepting.accept(patience()).is_open()); });
  site().join();
}

TEST_P(SocketKinds, StoppedUnixListenersAcceptAndTakeNobody) {
  listener stopping = listener::bind(folder_.socket());
  site().start([&] { stopping.accept(deadline::never(), error_); });
  site().wait_until_blocked();
  stopping.stop();
  site().join();
  EXPECT_EQ(error_, asio::error::operation_aborted);
  site().run([&] { stream::connect(folder_.socket(), patience(), error_); });
  EXPECT_EQ(error_, asio::error::connection_refused);
}

TEST_P(SocketKinds, FilesAreSentFromAnyOffset) {
  const std::vector<std::byte> content = numbered_bytes(1'000'001);
  const std::string path = folder_.socket().path();
  std::ofstream(path).write(reinterpret_cast<const char*>(content.data()),
                            static_cast<std::streamsize>(content.size()));
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  for (const std::size_t offset : {std::size_t{0}, std::size_t{777'777}, content.size()}) {
    auto both = loopback::connected_pair();
    const std::size_t rest = content.size() - offset;
    site().start([&, &from = both.client] {
      EXPECT_EQ(from.send_file(file, offset, 100), std::min<std::size_t>(rest, 100));
      const std::size_t later = std::min(offset + 100, content.size());
      EXPECT_EQ(from.send_file(file, later, UINT64_MAX), content.size() - later);
      from.shutdown_send();
    });
    site().run([&, &into = both.server] {
      std::vector<std::byte> received(rest + 1);
      EXPECT_EQ(asio::read(into, asio::buffer(received), error_), rest);
      EXPECT_EQ(error_, asio::error::eof);
      EXPECT_TRUE(std::equal(content.begin() + static_cast<std::ptrdiff_t>(offset), content.end(),
                             received.begin()));
    });
  }
  ::close(file);
}

TEST_P(SocketKinds, SendFileSaysWhatLeftBeforeItFailed) {
  const std::vector<char> content(8 * 1024 * 1024);
  const std::string path = folder_.socket().path();
  std::ofstream(path).write(content.data(), static_cast<std::streamsize>(content.size()));
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  auto both = loopback::connected_pair();
  both.server.set_option(option::receive_buffer_size(100'000));
  both.client.set_option(option::send_buffer_size(100'000));
  site().run([&, &from = both.client] {
    from.expires_at(soon());
    const std::uint64_t sent = from.send_file(file, 0, content.size(), error_);
    EXPECT_EQ(error_, asio::error::timed_out);
    EXPECT_GT(sent, 0u);
    EXPECT_LT(sent, content.size());
    EXPECT_EQ(from.send_file(-1, 0, 1, error_), 0u);
    EXPECT_EQ(error_, asio::error::bad_descriptor);
    from.send_file(file, UINT64_MAX, 1, error_);
    EXPECT_EQ(error_, asio::error::invalid_argument);
    EXPECT_EQ(from.send_file(file, 0, 0, error_), 0u);
    EXPECT_FALSE(error_);
  });
  ::close(file);
}

TEST(UnixListener, TheFileGoesWithIt) {
  const folder here;
  const std::string path = here.socket().path();
  {
    listener first = listener::bind(here.socket(), {.permissions = 0600});
    struct stat about {};
    ASSERT_EQ(::stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600u);
    const listener moved = std::move(first);
    EXPECT_TRUE(std::filesystem::exists(path));
    std::error_code error;
    listener::bind(here.socket(), {}, error);
    EXPECT_EQ(error, asio::error::address_in_use);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(UnixListener, OnlyWhatNobodyListensAtIsReplaced) {
  const folder here;
  const std::string path = here.socket().path();
  {
    const int left_behind = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const unix_endpoint where = here.socket();
    ASSERT_EQ(::bind(left_behind, where.data(), static_cast<socklen_t>(where.size())), 0);
    ::close(left_behind);
  }
  std::error_code error;
  listener::bind(here.socket(), {.replace_stale = false}, error);
  EXPECT_EQ(error, asio::error::address_in_use);
  EXPECT_TRUE(listener::bind(here.socket()).is_open());
  std::ofstream(path) << "no socket";
  listener::bind(here.socket(), {}, error);
  EXPECT_EQ(error, asio::error::address_in_use);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_P(SocketKinds, DatagramsAreAnsweredToTheirSender) {
  datagram_socket server = datagram_socket::bind(any_port);
  server.expires_at(patience());
  site().start([&] {
    std::array<char, 16> question;
    endpoint sender;
    const std::size_t size = server.receive_from(asio::buffer(question), sender);
    const std::array<asio::const_buffer, 2> answer = {asio::buffer("re: ", 4),
                                                      asio::buffer(question, size)};
    EXPECT_EQ(server.send_to(answer, sender), 4 + size);
  });
  site().run([&] {
    datagram_socket client = datagram_socket::bind(any_port);
    client.expires_at(patience());
    EXPECT_EQ(client.send_to(asio::buffer("hello", 5), server.local_endpoint()), 5u);
    endpoint sender;
    const std::array<asio::mutable_buffer, 2> into = {asio::buffer(text_, 4),
                                                      asio::buffer(text_) + 8};
    EXPECT_EQ(client.receive_from(into, sender), 9u);
    EXPECT_EQ(sender, server.local_endpoint());
    EXPECT_EQ(std::string_view(text_.data(), 4), "re: ");
    EXPECT_EQ(std::string_view(text_.data() + 8, 5), "hello");
  });
}

TEST_P(SocketKinds, DatagramsHaveABeginningAndAnEnd) {
  datagram_socket receiver = datagram_socket::bind(any_port);
  receiver.expires_at(patience());
  datagram_socket sender = datagram_socket::connected(receiver.local_endpoint());
  EXPECT_EQ(sender.remote_endpoint(), receiver.local_endpoint());
  site().run([&] {
    for (const std::string_view sent : {"", "one", "longer than the buffer", "two"}) {
      EXPECT_EQ(sender.send(asio::buffer(sent)), sent.size());
    }
    EXPECT_EQ(receiver.receive(asio::buffer(text_)), 0u);
    EXPECT_EQ(receiver.receive(asio::buffer(text_)), 3u);
    EXPECT_EQ(receiver.receive(asio::buffer(text_), error_), text_.size());
    EXPECT_EQ(error_, asio::error::message_size);
    EXPECT_EQ(receiver.receive(asio::buffer(text_)), 3u);
    EXPECT_EQ(std::string_view(text_.data(), 3), "two");
    const std::vector<char> huge(70'000);
    sender.send(asio::buffer(huge), error_);
    EXPECT_EQ(error_, asio::error::message_size);
    const std::vector<asio::const_buffer> many(17, asio::buffer("x", 1));
    sender.send(many, error_);
    EXPECT_EQ(error_, asio::error::invalid_argument);
  });
}

TEST_P(SocketKinds, ReceivingEndsAtItsDeadlineAndWhenCancelled) {
  datagram_socket silent = datagram_socket::bind(any_port);
  site().run([&] {
    for (const deadline until : {soon(), long_ago()}) {
      silent.expires_at(until);
      EXPECT_EQ(silent.receive(asio::buffer(text_), error_), 0u);
      EXPECT_EQ(error_, asio::error::timed_out);
      EXPECT_TRUE(until.passed());
    }
  });
  silent.expires_at(deadline::never());
  cancellation_source stopping;
  site().start([&] {
    const cancellation_scope scope(stopping.token());
    silent.receive(asio::buffer(text_), error_);
  });
  site().wait_until_blocked();
  stopping.cancel();
  site().join();
  EXPECT_EQ(error_, asio::error::operation_aborted);
}

TEST_P(SocketKinds, ConnectedDatagramSocketsHearThatNobodyIsThere) {
  datagram_socket closing = datagram_socket::bind(any_port);
  datagram_socket sender = datagram_socket::connected(closing.local_endpoint());
  sender.expires_at(patience());
  closing.close();
  site().run([&] {
    sender.send(asio::buffer("x", 1));
    sender.receive(asio::buffer(text_), error_);
    EXPECT_EQ(error_, asio::error::connection_refused);
    closing.receive(asio::buffer(text_), error_);
    EXPECT_EQ(error_, asio::error::bad_descriptor);
  });
}

template <class Option, class Value>
void expect_kept(stream& peer, const Value& value) {
  peer.set_option(Option(value));
  EXPECT_EQ(peer.get_option<Option>(), value);
}

TEST(SocketOptions, HaveValuesOfTheirTypes) {
  auto [client, server] = loopback::connected_pair();
  expect_kept<option::keep_alive>(client, true);
  expect_kept<option::tcp_no_delay>(client, false);
  expect_kept<option::tcp_keep_alive_idle>(client, 75s);
  expect_kept<option::tcp_keep_alive_interval>(client, 5s);
  expect_kept<option::tcp_keep_alive_count>(client, 3);
  expect_kept<option::tcp_user_timeout>(client, 2500ms);
  expect_kept<option::ip_time_to_live>(client, 42);
  expect_kept<option::linger>(client, std::optional(7s));
  expect_kept<option::linger>(client, std::optional<std::chrono::seconds>());
  const std::string control = client.get_option<option::tcp_congestion_control>();
  EXPECT_FALSE(control.empty());
  expect_kept<option::tcp_congestion_control>(client, control);
  client.set_option(option::receive_buffer_size(50'000));
  EXPECT_EQ(client.get_option<option::receive_buffer_size>(), 100'000);
  std::error_code error;
  client.set_option(option::ipv6_only(true), error);
  EXPECT_EQ(error, asio::error::no_protocol_option);
  stream().set_option(option::keep_alive(true), error);
  EXPECT_EQ(error, asio::error::bad_descriptor);
  client.set_option(option::tcp_congestion_control("no such algorithm"), error);
  EXPECT_TRUE(error);
}

TEST(SocketOptions, AreAsios) {
  auto [client, server] = loopback::connected_pair();
  client.lowest_layer().set_option(asio::ip::tcp::no_delay(false));
  asio::ip::tcp::no_delay found;
  client.get_option(found);
  EXPECT_FALSE(found.value());
  asio::socket_base::linger waits(true, 9);
  client.set_option(waits);
  EXPECT_EQ(client.get_option<option::linger>(), 9s);
  datagram_socket group = datagram_socket::bind(any_port);
  group.set_option(asio::ip::multicast::hops(3));  // asks for the family
  asio::ip::multicast::hops hops;
  group.get_option(hops);
  EXPECT_EQ(hops.value(), 3);
}

TEST(SocketOptions, OfListenersAreTheirConnectionsToo) {
  listener accepting = listener::bind(any_port, {.receive_buffer_size_bytes = 30'000});
  accepting.set_option(option::tcp_user_timeout(4s));
  accepting.set_option(option::tcp_defer_accept(1s));
  EXPECT_GE(accepting.get_option<option::tcp_defer_accept>(), 1s);
  stream client = stream::connect(accepting.local_endpoint(), patience());
  client.write(asio::buffer("x", 1));
  const stream server = accepting.accept(patience());
  EXPECT_EQ(server.get_option<option::tcp_user_timeout>(), 4s);
  EXPECT_EQ(server.get_option<option::receive_buffer_size>(), 60'000);
  EXPECT_TRUE(listener::bind(parse_endpoint("192.0.2.1:0"), {.free_bind = true}).is_open());
}

}  // namespace
}  // namespace umcg::net
