// SPDX-License-Identifier: MIT

#include "http/connection.hpp"

#include <atomic>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "unit/http/test_peer.hpp"

namespace umcg::http {
namespace {

using testing::received_response;
using testing::test_peer;

response echo(const request& asked) { return response::text(asked.body()); }

class connection : public ::testing::Test {
 protected:
  connection() : connection(service_options{}) {}
  explicit connection(service_options options) : served(std::move(options)) {
    served.get("/", [](const request&) { return response::text("root"); });
    served.get("/{name}",
               [](const request& asked) { return response::text(asked.path_parameter("name")); });
    served.post("/echo", echo);
    served.get("/throw",
               [](const request&) -> response { throw std::runtime_error("on\npurpose"); });
    served.get("/nothing", [](const request&) -> response { return status::no_content; });
  }

  service served;
};

std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

std::string post(std::string_view body, std::string_view fields = "") {
  return "POST /echo HTTP/1.1\r\nHost: a\r\n" + std::string(fields) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string post_chunked(std::string_view coded, std::string_view fields = "") {
  return "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + std::string(fields) +
         "\r\n" + std::string(coded);
}

TEST_F(connection, answers_one_request_after_another) {
  test_peer peer(served);
  for (int i = 0; i < 3; ++i) {
    peer.send(get("/alpha"));
    const received_response reply = peer.receive();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "alpha");
    EXPECT_EQ(reply.header("Connection"), std::nullopt);
    EXPECT_EQ(reply.header("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_TRUE(reply.header("Date"));
    EXPECT_FALSE(reply.header("Server"));
  }
  peer.finish_sending();
  EXPECT_TRUE(peer.ended());
}

TEST_F(connection, answers_a_pipelined_batch_in_order) {
  std::string batch;
  for (int i = 0; i < 500; ++i) {
    batch += i % 3 == 0 ? post("body " + std::to_string(i)) : get("/n" + std::to_string(i));
  }
  test_peer peer(served);
  peer.send(batch);
  for (int i = 0; i < 500; ++i) {
    const std::string wanted = (i % 3 == 0 ? "body " : "n") + std::to_string(i);
    ASSERT_EQ(peer.receive().body, wanted);
  }
}

TEST_F(connection, answers_what_came_before_the_peer_closed_its_side) {
  test_peer peer(served);
  peer.send(get("/one") + get("/two"));
  peer.finish_sending();
  EXPECT_EQ(peer.receive().body, "one");
  EXPECT_EQ(peer.receive().body, "two");
  EXPECT_TRUE(peer.ended());
}

TEST_F(connection, says_close_and_closes_when_asked_to) {
  test_peer peer(served);
  peer.send(get("/one", "Connection: close\r\n") + get("/two"));
  const received_response reply = peer.receive();
  EXPECT_EQ(reply.body, "one");
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(peer.ended());
}

TEST_F(connection, keeps_an_http_1_0_connection_only_when_asked_to) {
  test_peer lasting(served);
  for (int i = 0; i < 2; ++i) {
    lasting.send("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const received_response reply = lasting.receive();
    EXPECT_EQ(reply.body, "x");
    EXPECT_EQ(reply.header("Connection"), "keep-alive");
  }
  test_peer single(served);
  single.send("GET /x HTTP/1.0\r\n\r\n");
  EXPECT_EQ(single.receive().header("Connection"), "close");
  EXPECT_TRUE(single.ended());
}

TEST_F(connection, answers_head_as_get_without_the_body) {
  test_peer peer(served);
  peer.send("HEAD /four HTTP/1.1\r\nHost: a\r\n\r\n" + get("/next"));
  const received_response head = peer.receive(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "4");
  EXPECT_EQ(head.header("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(peer.receive().body, "next");
}

TEST_F(connection, sends_no_length_with_204) {
  test_peer peer(served);
  peer.send(get("/nothing") + get("/next"));
  const received_response nothing = peer.receive();
  EXPECT_EQ(nothing.status, 204);
  EXPECT_FALSE(nothing.header("Content-Length"));
  EXPECT_EQ(peer.receive().body, "next");
}

TEST_F(connection, goes_on_after_404_405_501_and_500) {
  test_peer peer(served);
  peer.send(get("/a/b") + "DELETE /echo HTTP/1.1\r\nHost: a\r\n\r\n" +
            "BREW / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/throw") + get("/next"));
  EXPECT_EQ(peer.receive().status, 404);
  const received_response other_method = peer.receive();
  EXPECT_EQ(other_method.status, 405);
  EXPECT_EQ(other_method.header("Allow"), "GET, HEAD, POST");
  EXPECT_EQ(peer.receive().status, 501);
  EXPECT_EQ(peer.receive().status, 500);
  EXPECT_EQ(peer.receive().body, "next");
}

TEST_F(connection, reads_bodies_of_every_size) {
  test_peer peer(served);
  for (const std::size_t size : {0U, 1U, 1'900U, 2'048U, 2'049U, 8'192U, 70'000U, 1'048'576U}) {
    std::string body(size, 'b');
    for (std::size_t i = 0; i < size; i += 97) body[i] = static_cast<char>('a' + i % 26);
    peer.send(post(body) + get("/next"));
    ASSERT_EQ(peer.receive().body, body);
    ASSERT_EQ(peer.receive().body, "next");
  }
}

TEST_F(connection, reads_chunked_bodies_of_every_size) {
  test_peer peer(served);
  for (const std::size_t chunk : {1U, 7U, 1'000U, 5'000U, 100'000U}) {
    std::string body, coded;
    for (int i = 0; i < 20 && body.size() + chunk <= 1'000'000; ++i) {
      const std::string piece(chunk, static_cast<char>('a' + i));
      char size[24];
      std::snprintf(size, sizeof size, "%zx\r\n", chunk);
      coded += size + piece + "\r\n";
      body += piece;
    }
    peer.send(post_chunked(coded + "0\r\nTrailer: x\r\n\r\n") + get("/next"));
    ASSERT_EQ(peer.receive().body, body);
    ASSERT_EQ(peer.receive().body, "next");
  }
}

// The bytes before the split are read before those after it are sent.
TEST_F(connection, reads_the_same_request_wherever_it_is_split) {
  const std::string text = get("/%41b?q=1", "X-Name: value\r\n") + post("hello") +
                           post_chunked("3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n") + get("/z");
  test_peer peer(served);
  for (std::size_t split = 0; split <= text.size(); ++split) {
    peer.send(text.substr(0, split));
    peer.wait_until_read();
    peer.send(text.substr(split));
    for (const char* body : {"Ab", "hello", "abcde", "z"}) {
      ASSERT_EQ(peer.receive().body, body) << "split at " << split;
    }
  }
}

// Every read brings one byte, so the head is moved and parsed again in every way there is.
TEST_F(connection, reads_bodies_that_arrive_byte_by_byte) {
  const std::string filler = "X-Filler: " + std::string(1'980, 'f') + "\r\n";
  const std::string body(200, 'x');
  test_peer peer(served);
  for (const std::string& text :
       {post(body, filler), post_chunked("c8\r\n" + body + "\r\n0\r\n\r\n", filler)}) {
    const std::size_t head_end = text.find("\r\n\r\n");
    peer.send(text.substr(0, head_end));
    for (const char byte : text.substr(head_end)) {
      peer.wait_until_read();
      peer.send({&byte, 1});
    }
    const received_response reply = peer.receive();
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, body);
  }
}

TEST_F(connection, asks_for_a_body_that_is_held_back) {
  test_peer peer(served);
  peer.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  const received_response interim = peer.receive();
  EXPECT_EQ(interim.head, "HTTP/1.1 100 Continue\r\n\r\n");
  peer.send("hi");
  EXPECT_EQ(peer.receive().body, "hi");
}

TEST_F(connection, does_not_ask_for_a_body_that_is_there_or_empty) {
  test_peer peer(served);
  peer.send(post("hi", "Expect: 100-continue\r\n"));
  EXPECT_EQ(peer.receive().status, 200);
  peer.send(post("", "Expect: 100-continue\r\n"));
  EXPECT_EQ(peer.receive().status, 200);
}

TEST_F(connection, refuses_a_large_body_before_it_comes) {
  test_peer peer(served);
  peer.send(get("/one") +
            "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n"
            "\r\n");
  EXPECT_EQ(peer.receive().body, "one");
  const received_response reply = peer.receive();
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(peer.ended());
}

TEST_F(connection, answers_400_to_a_request_that_ends_too_early) {
  for (const std::string& text :
       {std::string("GET / HT"), post("hello").substr(0, post("hello").size() - 2),
        post_chunked("5\r\nhel")}) {
    test_peer peer(served);
    peer.send(text);
    peer.finish_sending();
    EXPECT_EQ(peer.receive().status, 400) << text;
    EXPECT_TRUE(peer.ended());
  }
}

class impatient_connection : public connection {
 protected:
  static service_options options() {
    service_options chosen;
    chosen.limits.keep_alive_duration = std::chrono::milliseconds(40);
    chosen.limits.request_head_duration = std::chrono::milliseconds(40);
    chosen.limits.request_body_duration = std::chrono::milliseconds(40);
    return chosen;
  }
  impatient_connection() : connection(options()) {}
};

TEST_F(impatient_connection, closes_an_idle_connection_without_a_word) {
  test_peer fresh(served);
  EXPECT_EQ(fresh.receive_all(), "");
  test_peer used(served);
  used.send(get("/one"));
  EXPECT_EQ(used.receive().body, "one");
  EXPECT_EQ(used.receive_all(), "");
}

TEST_F(impatient_connection, takes_an_empty_line_for_idleness) {
  test_peer peer(served);
  peer.send(post("x") + "\r\n");
  EXPECT_EQ(peer.receive().body, "x");
  EXPECT_EQ(peer.receive_all(), "");
}

TEST_F(impatient_connection, answers_408_to_half_a_request) {
  for (const std::string& text :
       {std::string("GET / HT"), post("hello").substr(0, post("hello").size() - 2),
        post_chunked("5\r\nhel")}) {
    test_peer peer(served);
    peer.send(text);
    EXPECT_EQ(peer.receive().status, 408) << text;
    EXPECT_TRUE(peer.ended());
  }
}

// A peer that sends now and then gains no time: the deadline is of the head as a whole.
TEST_F(impatient_connection, answers_408_to_a_head_that_trickles_in) {
  test_peer peer(served);
  std::atomic<bool> done = false;
  // At once: a connection that is idle for too long is closed without a word.
  peer.send("GET / HTTP/1.1\r\nX: ");
  std::thread trickle([&] {
    while (!done) {
      peer.wait_until_read();
      peer.send("y");
    }
  });
  const int code = peer.receive().status;
  done = true;
  trickle.join();
  // 431 if the trickle is faster than 32 KiB in the time.
  EXPECT_TRUE(code == 408 || code == 431) << code;
}

}  // namespace
}  // namespace umcg::http
