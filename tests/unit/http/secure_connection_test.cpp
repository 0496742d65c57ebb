// SPDX-License-Identifier: MIT

// A service over TLS: what handlers see of it, and what becomes of handshakes that fail.

#include <sys/socket.h>

#include <string>
#include <thread>

#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>

#include "http/handshake_failures.hpp"
#include "umcg/http/service.hpp"
#include "umcg/tls/stream.hpp"
#include "unit/tls/tls_pair.hpp"

namespace umcg::http {
namespace {

using namespace std::chrono_literals;
using namespace tls::testing;
using net::loopback::patience;

response who(const request& asked) {
  const auto client = asked.client_identity();
  return response::text((asked.secure() ? "secure " : "plain ") +
                        (client ? client->subject : "nobody"));
}

tls::server_context requesting_certificates() {
  return tls::server_context::load({.certificates = {own_files()},
                                    .alpn = {"http/1.1"},
                                    .clients = tls::client_certificates::request,
                                    .client_ca = issuer().path()});
}

// One connection of a service, served on a thread.
class secure_connection : public ::testing::Test {
 protected:
  explicit secure_connection(limits chosen = {})
      : context(requesting_certificates()), served({.limits = chosen, .tls = &context}) {
    served.get("/", who);
    net::loopback::stream_pair ends = net::loopback::connected_pair();
    peer = std::move(ends.client);
    server = std::thread(
        [this, accepted = std::move(ends.server)]() mutable { served.serve(std::move(accepted)); });
  }
  ~secure_connection() override {
    peer.close();
    if (server.joinable()) server.join();
  }

  tls::server_context context;
  service served;
  net::stream peer;
  std::thread server;
};

std::string get(std::string_view fields = "") {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

// What comes up to the end of the stream, which has to be a real one.
std::string all_of(tls::stream<net::stream&>& from) {
  std::string text;
  std::error_code error;
  asio::read(from, asio::dynamic_buffer(text), error);
  EXPECT_EQ(error, asio::error::eof);
  return text;
}

TEST_F(secure_connection, shows_the_client_to_handlers) {
  tls::client_options options = trusting();
  options.certificate = issuer().issue("alice", {.common_name = "alice"});
  tls::stream<net::stream&> client(peer);
  client.handshake(tls::client_context::load(options), "server.example", patience());
  asio::write(client, asio::buffer(get() + get("Connection: close\r\n")));
  const std::string answers = all_of(client);
  const std::size_t first = answers.find("secure CN=alice");
  ASSERT_NE(first, answers.npos) << answers;
  EXPECT_NE(answers.find("secure CN=alice", first + 1), answers.npos) << answers;
  EXPECT_EQ(served.failed_handshakes(), 0U);
}

TEST_F(secure_connection, has_clients_without_a_certificate) {
  tls::stream<net::stream&> client(peer);
  client.handshake(tls::client_context::load(trusting()), "server.example", patience());
  asio::write(client, asio::buffer(get("Connection: close\r\n")));
  EXPECT_NE(all_of(client).find("secure nobody"), std::string::npos);
}

TEST_F(secure_connection, answers_bad_requests_over_tls) {
  tls::stream<net::stream&> client(peer);
  client.handshake(tls::client_context::load(trusting()), "server.example", patience());
  asio::write(client, asio::buffer("nonsense\r\n\r\n", 12));
  EXPECT_TRUE(all_of(client).starts_with("HTTP/1.1 400 "));
}

TEST_F(secure_connection, counts_handshakes_that_fail) {
  peer.write(asio::buffer(get()));
  peer.shutdown_send();
  server.join();
  EXPECT_EQ(served.failed_handshakes(), 1U);
}

class impatient_connection : public secure_connection {
 protected:
  impatient_connection() : secure_connection({.handshake_duration = 30ms}) {}
};

TEST_F(impatient_connection, ends_a_handshake_that_takes_too_long) {
  char letter = 0;
  std::error_code error;
  peer.read_some(asio::buffer(&letter, 1), error);
  EXPECT_EQ(error, asio::error::eof);
  peer.shutdown_send();
  server.join();
  EXPECT_EQ(served.failed_handshakes(), 1U);
}

class forgotten_connection : public secure_connection {
 protected:
  forgotten_connection() : secure_connection({.keep_alive_duration = 30ms}) {}
};

TEST_F(forgotten_connection, hears_goodbye_when_nobody_asks_for_more) {
  tls::stream<net::stream&> client(peer);
  client.handshake(tls::client_context::load(trusting()), "server.example", patience());
  asio::write(client, asio::buffer(get()));
  EXPECT_NE(all_of(client).find("secure nobody"), std::string::npos);
}

TEST(request, came_from_no_secure_connection) {
  const request asked = request::parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(asked.secure());
  EXPECT_FALSE(asked.client_identity());
}

TEST(handshake_failures, have_one_line_a_second) {
  handshake_failures failures;
  const auto begin = deadline::clock::now();
  const std::error_code why(10, tls::verification_category());
  const std::string text = " failed: certificate: certificate has expired";
  EXPECT_EQ(failures.add("a:1", why, begin), "umcg: TLS handshake with a:1" + text + "\n");
  EXPECT_EQ(failures.add("b:2", why, begin + 10ms), "");
  EXPECT_EQ(failures.add("c:3", why, begin + 999ms), "");
  EXPECT_EQ(failures.add("d:4", tls::errc::stream_truncated, begin + 5s), "");
  EXPECT_EQ(failures.add("e:5", why, begin + 5s),
            "umcg: TLS handshake with e:5" + text + " (and 2 more before)\n");
  EXPECT_EQ(failures.count(), 5U);
}

}  // namespace
}  // namespace umcg::http
