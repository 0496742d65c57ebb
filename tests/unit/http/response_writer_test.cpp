// SPDX-License-Identifier: MIT

#include "http/response_writer.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace umcg::http {
namespace {

class writer : public ::testing::Test {
 protected:
  writer() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    ours.socket() = net::stream(ends[0]);
    theirs = ends[1];
    ::fcntl(theirs, F_SETFL, O_NONBLOCK);
  }
  ~writer() override { ::close(theirs); }

  // What has left so far.
  std::string sent() const {
    std::string text;
    char bytes[64 * 1024];
    for (ssize_t count; (count = ::read(theirs, bytes, sizeof bytes)) > 0;) {
      text.append(bytes, static_cast<std::size_t>(count));
    }
    return text;
  }

  // With the date made known.
  std::string serialised(const response& reply, std::string_view request_line = "GET / HTTP/1.1",
                         bool last = false) {
    const std::string text = std::string(request_line) + "\r\nHost: a\r\n\r\n";
    response_writer output(ours, options);
    EXPECT_TRUE(output.write(reply, request::parse(text), last));
    EXPECT_TRUE(output.flush());
    std::string result = sent();
    const std::size_t date = result.find("Date: ");
    if (result.find(" GMT\r\n") != result.npos) result.replace(date + 6, date_bytes, "now");
    return result;
  }

  const request asked = request::parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  service_options options;
  peer_stream ours{net::stream()};
  int theirs = -1;
};

TEST_F(writer, writes_heads) {
  EXPECT_EQ(serialised(response::text("hi")),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Date: now\r\n\r\nhi");
  EXPECT_EQ(serialised(status::not_found),
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nDate: now\r\n\r\n");
  EXPECT_EQ(serialised(static_cast<status>(299)),
            "HTTP/1.1 299 \r\nContent-Length: 0\r\nDate: now\r\n\r\n");
  EXPECT_EQ(serialised(response().add_header("A", "1").add_header("Date", "mine")),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: 1\r\nDate: mine\r\n\r\n");
  options.server_name = "umcg";
  EXPECT_EQ(serialised(response()),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: now\r\nServer: umcg\r\n\r\n");
  EXPECT_EQ(serialised(response().set_header("server", "mine")),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: now\r\nserver: mine\r\n\r\n");
}

TEST_F(writer, names_the_connection_where_the_client_cannot_know) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: now\r\n";
  EXPECT_EQ(serialised({}, "GET / HTTP/1.1", false), head + "\r\n");
  EXPECT_EQ(serialised({}, "GET / HTTP/1.1", true), head + "Connection: close\r\n\r\n");
  EXPECT_EQ(serialised({}, "GET / HTTP/1.0", false), head + "Connection: keep-alive\r\n\r\n");
  EXPECT_EQ(serialised({}, "GET / HTTP/1.0", true), head + "Connection: close\r\n\r\n");
}

TEST_F(writer, leaves_out_bodies_that_must_not_be) {
  EXPECT_EQ(serialised(response::text("hi"), "HEAD / HTTP/1.1"),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Date: now\r\n\r\n");
  const auto with_body = [](status code) {
    response reply(code);
    reply.set_body("must not be sent");
    return reply;
  };
  EXPECT_EQ(serialised(with_body(status::no_content)),
            "HTTP/1.1 204 No Content\r\nDate: now\r\n\r\n");
  EXPECT_EQ(serialised(with_body(status::not_modified)),
            "HTTP/1.1 304 Not Modified\r\nDate: now\r\n\r\n");
  EXPECT_EQ(serialised(with_body(status::reset_content)),
            "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\nDate: now\r\n\r\n");
}

TEST_F(writer, gathers_until_it_is_told) {
  response_writer output(ours, options);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(output.write(response::text("x"), asked, false));
  EXPECT_EQ(sent(), "");
  EXPECT_TRUE(output.flush());
  EXPECT_GT(sent().size(), 100U * 100U);
  EXPECT_TRUE(output.flush());
  EXPECT_EQ(sent(), "");
}

TEST_F(writer, sends_what_it_gathered_before_it_reads) {
  response_writer output(ours, options);
  EXPECT_TRUE(output.write(response::text("x"), asked, false));
  ASSERT_EQ(::write(theirs, "in", 2), 2);
  char in[8];
  std::error_code error;
  EXPECT_EQ(output.flush_then_read(in, deadline::never(), error), 2U);
  EXPECT_TRUE(sent().ends_with("\r\n\r\nx"));
  EXPECT_TRUE(output.flush());
  EXPECT_EQ(sent(), "");
}

TEST_F(writer, bounds_what_it_gathers) {
  response_writer output(ours, options);
  std::string all;
  std::size_t held_back = 0;
  for (int i = 0; i < 3'000; ++i) {
    EXPECT_TRUE(output.write(response::text("x"), asked, false));
    const std::string left = sent();
    held_back = left.empty() ? held_back + 100 : 0;
    ASSERT_LT(held_back, 64U * 1024U);
    all += left;
  }
  EXPECT_TRUE(output.flush());
  all += sent();
  const std::string one = all.substr(0, all.find("\r\n\r\n") + 5);
  EXPECT_EQ(all.size(), one.size() * 3'000);
}

std::string body_of(std::size_t size) {
  return std::string(size, static_cast<char>('A' + size % 26));
}

// Bodies of every size around the places where the way of sending changes, behind heads of any
// size.
TEST_F(writer, sends_bodies_of_every_size_whole_and_in_order) {
  const std::size_t sizes[] = {0,     1,      700,    1'023,  1'024,  8'192,
                               8'193, 16'384, 65'000, 65'536, 70'000, 300'000};
  ::fcntl(theirs, F_SETFL, 0);
  std::string received;
  std::thread reader([&] {
    char bytes[64 * 1024];
    for (ssize_t count; (count = ::read(theirs, bytes, sizeof bytes)) > 0;) {
      received.append(bytes, static_cast<std::size_t>(count));
    }
  });
  std::string wanted;
  response_writer output(ours, options);
  for (const std::size_t header : {0U, 900U, 20'000U, 100'000U}) {
    for (const std::size_t size : sizes) {
      const std::string field(header, 'h');
      response reply = response::bytes(body_of(size)).add_header("Date", field);
      EXPECT_TRUE(output.write(reply, asked, false));
      wanted += "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) +
                "\r\nContent-Type: application/octet-stream\r\nDate: " + field + "\r\n\r\n" +
                body_of(size);
    }
  }
  EXPECT_TRUE(output.flush());
  ours.socket().close();
  reader.join();
  EXPECT_TRUE(received == wanted) << received.size() << " bytes for " << wanted.size();
}

TEST_F(writer, reports_a_broken_connection) {
  ::shutdown(theirs, SHUT_RD);
  response_writer output(ours, options);
  EXPECT_TRUE(output.write(response::text("x"), asked, false));
  EXPECT_FALSE(output.flush());
  EXPECT_FALSE(output.write(response::text(std::string(100'000, 'x')), asked, false));
}

TEST_F(writer, gives_up_on_a_peer_that_takes_nothing) {
  options.limits.response_duration = std::chrono::milliseconds(20);
  response_writer output(ours, options);
  EXPECT_FALSE(output.write(response::text(std::string(10'000'000, 'x')), asked, false));
}

}  // namespace
}  // namespace umcg::http
