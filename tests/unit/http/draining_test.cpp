// SPDX-License-Identifier: MIT

#include <sys/socket.h>

#include <future>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "http/connection.hpp"

namespace umcg::http {
namespace {

const std::string request_text = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";

// A service with one connection, served on a thread.
class draining : public ::testing::Test {
 protected:
  draining() : core({}) {
    core.routes.add("GET", "/slow", [this](const request&) {
      entered.set_value();
      released.get_future().wait();
      return response::text("done");
    });
    core.routes.add("POST", "/echo",
                    [](const request& asked) { return response::text(asked.body()); });
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    peer = net::stream(ends[0]);
    peer.expires_at(deadline::after(std::chrono::seconds(5)));
    server = std::thread([this, fd = ends[1]] { serve_connection(net::stream(fd), core); });
    while (core.connections.size() == 0) std::this_thread::yield();
  }
  ~draining() override {
    peer.close();
    server.join();
  }

  void send(std::string_view text) {
    std::error_code error;
    peer.write(asio::buffer(text), error);
    EXPECT_FALSE(error);
  }

  std::string receive_all() {
    std::string text;
    std::error_code error;
    while (!error) {
      char bytes[1024];
      text.append(bytes, peer.read_some(asio::buffer(bytes), error));
    }
    EXPECT_EQ(error, asio::error::eof);
    return text;
  }

  bool empties() {
    return core.connections.wait_until_empty(deadline::after(std::chrono::seconds(5)));
  }

  service_core core;
  std::promise<void> entered;
  std::promise<void> released;
  net::stream peer;
  std::thread server;
};

TEST_F(draining, ends_an_idle_connection_at_once) {
  core.connections.drain();
  EXPECT_TRUE(empties());
  EXPECT_EQ(receive_all(), "");
}

TEST_F(draining, lets_a_handler_finish_and_says_close) {
  send(request_text + request_text);
  entered.get_future().wait();
  core.connections.drain();
  EXPECT_FALSE(core.connections.wait_until_empty(deadline::after(std::chrono::milliseconds(5))));
  released.set_value();
  const std::string text = receive_all();
  EXPECT_NE(text.find("\r\nConnection: close\r\n"), text.npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\ndone"));
  EXPECT_EQ(text.find("HTTP/1.1"), text.rfind("HTTP/1.1"));
  peer.close();
  EXPECT_TRUE(empties());
}

// The first byte after the drain would be lost if the receiving side had been shut down... on a
// socket pair at once, so this test is sharp.
TEST_F(draining, lets_a_request_that_has_begun_arrive) {
  send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  char interim[64];
  std::error_code error;
  const std::size_t size = peer.read_some(asio::buffer(interim), error);
  EXPECT_TRUE(std::string_view(interim, size).starts_with("HTTP/1.1 100 "));
  core.connections.drain();
  send("hello");
  const std::string text = receive_all();
  EXPECT_TRUE(text.starts_with("HTTP/1.1 200 OK\r\n")) << text;
  EXPECT_TRUE(text.ends_with("\r\n\r\nhello")) << text;
}

TEST_F(draining, refuses_a_connection_that_comes_late) {
  core.connections.drain();
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  net::stream late(ends[0]);
  serve_connection(net::stream(ends[1]), core);
  char byte;
  std::error_code error;
  EXPECT_EQ(late.read_some(asio::buffer(&byte, 1), error), 0U);
  EXPECT_EQ(error, asio::error::eof);
}

TEST_F(draining, ends_everything_when_its_time_is_up) {
  send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  char interim[64];
  std::error_code error;
  peer.read_some(asio::buffer(interim), error);
  core.connections.end_all();
  EXPECT_TRUE(empties());
}

TEST(connection_list, numbers_connections_from_one) {
  connection_list list;
  net::stream first, second;
  {
    listed_connection a(list, first);
    listed_connection b(list, second);
    EXPECT_EQ(a.number(), 1U);
    EXPECT_EQ(b.number(), 2U);
    EXPECT_EQ(list.size(), 2U);
  }
  listed_connection c(list, first);
  EXPECT_EQ(c.number(), 3U);
  EXPECT_EQ(list.size(), 1U);
  list.drain();
  listed_connection d(list, second);
  EXPECT_FALSE(d.admitted());
  EXPECT_EQ(list.size(), 1U);
}

// Leaves in every order of three, so that each link is mended.
TEST(connection_list, unlinks_in_any_order) {
  const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const auto& order : orders) {
    connection_list list;
    net::stream peers[3];
    std::unique_ptr<listed_connection> listed[3];
    for (int i = 0; i < 3; ++i) listed[i] = std::make_unique<listed_connection>(list, peers[i]);
    for (const int i : order) {
      listed[i].reset();
      list.drain();  // walks what is left
    }
    EXPECT_EQ(list.size(), 0U);
  }
}

}  // namespace
}  // namespace umcg::http
