// SPDX-License-Identifier: MIT

// What two ends agree on, whom they refuse and what they say then.

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "umcg/tls/stream.hpp"
#include "unit/tls/scripted_stream.hpp"
#include "unit/tls/tls_pair.hpp"

namespace umcg::tls {
namespace {

using namespace net::loopback;
using namespace tls::testing;

std::string read_whole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class TlsHandshake : public of_each_version {};
INSTANTIATE_TEST_SUITE_P(, TlsHandshake, ::testing::Values(version::tls_1_2, version::tls_1_3),
                         version_name);

TEST_P(TlsHandshake, AgreesWithItsPeer) {
  server_options options = serving();
  options.alpn = {"two", "one"};
  client_options wishes = trusting();
  wishes.alpn = {"zero", "one", "two"};
  const tls_pair pair = shake(server_context::load(options), client_context::load(wishes));
  const bool newest = GetParam() == version::tls_1_3;
  for (const stream<>* each : {&pair.server, &pair.client}) {
    EXPECT_EQ(each->protocol(), newest ? "TLSv1.3" : "TLSv1.2");
    EXPECT_EQ(each->cipher(), newest ? "TLS_AES_128_GCM_SHA256" : "ECDHE-ECDSA-AES128-GCM-SHA256");
    EXPECT_EQ(each->alpn(), "two");
    EXPECT_EQ(each->server_name(), "server.example");
    EXPECT_FALSE(each->resumed());
  }
  EXPECT_FALSE(pair.server.peer());
  const peer_identity shown = pair.client.peer().value();
  EXPECT_EQ(shown.subject, "CN=server");
  EXPECT_EQ(shown.issuer, "CN=issuer");
  EXPECT_EQ(shown.dns_names, std::vector<std::string>{"server.example"});
  EXPECT_EQ(shown.sha256.size(), 64U);
  EXPECT_TRUE(shown.verified);
}

TEST_P(TlsHandshake, ServesEachNameWithItsCertificate) {
  const server_context server = server_context::load(serving(
      {issuer().issue("first", {.common_name = "first", .alternatives = "DNS:first.example"}),
       issuer().issue("wild", {.common_name = "wild", .alternatives = "DNS:*.sub.example"}),
       issuer().issue("rsa", {.common_name = "rsa",
                              .alternatives = "DNS:first.example,DNS:rsa.example",
                              .rsa_bits = 2048})}));
  client_options careless = trusting();
  careless.verify_host = false;
  for (const auto& [host, subject] : {std::pair("first.example", "CN=first"),
                                      {"a.sub.example", "CN=wild"},
                                      {"RSA.example", "CN=rsa"},
                                      {"unknown.example", "CN=first"},
                                      {"127.0.0.1", "CN=first"}}) {
    const tls_pair pair = shake(server, client_context::load(careless), host);
    EXPECT_FALSE(pair.client_error) << pair.client_error.message();
    EXPECT_EQ(pair.client.peer()->subject, subject) << host;
  }
  // Of two kinds of key the client chooses.
  if (GetParam() == version::tls_1_2) {
    client_options of_rsa = trusting();
    of_rsa.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
    const tls_pair pair = shake(server, client_context::load(of_rsa), "first.example");
    EXPECT_EQ(pair.client.peer()->subject, "CN=rsa");
  }
}

TEST_P(TlsHandshake, RefusesCertificatesThatAreNotGood) {
  const authority stranger("stranger");
  struct test_case {
    certificate_files files;
    std::string host;
    int verdict;
  };
  const certificate_request old{
      .common_name = "old", .alternatives = "DNS:old.example", .until_seconds = -day_seconds / 2};
  const test_case cases[] = {
      {own_files(), "other.example", X509_V_ERR_HOSTNAME_MISMATCH},
      {own_files(), "127.0.0.2", X509_V_ERR_IP_ADDRESS_MISMATCH},
      {own_files(), "server", X509_V_ERR_HOSTNAME_MISMATCH},  // its common name does not count
      {own_files(), "127.0.0.1", X509_V_OK},
      {own_files(), "server.example.", X509_V_OK},
      {issuer().issue("old", old), "old.example", X509_V_ERR_CERT_HAS_EXPIRED},
      {stranger.issue("x", {.common_name = "x", .alternatives = "DNS:x.example"}), "x.example",
       X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
  };
  for (const test_case& each : cases) {
    const tls_pair pair = shake(server_context::load(serving({each.files})),
                                client_context::load(trusting()), each.host);
    if (each.verdict == X509_V_OK) {
      EXPECT_FALSE(pair.client_error) << pair.client_error.message();
      continue;
    }
    EXPECT_EQ(pair.client_error, std::error_code(each.verdict, verification_category()))
        << pair.client_error.message();
  }
  client_options careless = trusting();
  careless.verify_certificate = false;
  tls_pair pair =
      shake(server_context::load(serving({cases[6].files})), client_context::load(careless), "");
  EXPECT_FALSE(pair.client_error);
  EXPECT_FALSE(pair.client.peer()->verified);
}

TEST_P(TlsHandshake, KnowsItsClient) {
  const authority stranger("stranger");
  server_options options = serving();
  options.client_ca = issuer().path();
  client_options nobody = trusting(), known = trusting(), unknown = trusting();
  const certificate_request alice{
      .common_name = "alice", .alternatives = "email:alice@example.com,URI:spiffe://example/alice"};
  known.certificate = issuer().issue("alice", alice);
  unknown.certificate = stranger.issue("alice", alice);
  for (const auto asked : {client_certificates::request, client_certificates::require}) {
    options.clients = asked;
    const server_context server = server_context::load(options);
    const tls_pair with_known = shake(server, client_context::load(known));
    ASSERT_FALSE(with_known.server_error) << with_known.server_error.message();
    const peer_identity client = with_known.server.peer().value();
    EXPECT_EQ(client.subject, "CN=alice");
    EXPECT_EQ(client.email_addresses, std::vector<std::string>{"alice@example.com"});
    EXPECT_EQ(client.uris, std::vector<std::string>{"spiffe://example/alice"});
    EXPECT_TRUE(client.verified);
    // The roots for clients are no part of the server's own chain.
    const STACK_OF(X509)* const chain = SSL_get_peer_cert_chain(with_known.client.native_handle());
    EXPECT_EQ(sk_X509_num(chain), 1);

    const tls_pair with_unknown = shake(server, client_context::load(unknown));
    EXPECT_EQ(with_unknown.server_error.category(), verification_category());
    const tls_pair with_nobody = shake(server, client_context::load(nobody));
    EXPECT_EQ(!with_nobody.server_error, asked == client_certificates::request);
    EXPECT_FALSE(with_nobody.server.peer());
  }
}

// In TLS 1.3 the client is done before the server has looked at its certificate.
TEST_P(TlsHandshake, TellsTheClientThatItsCertificateIsMissing) {
  server_options options = serving();
  options.clients = client_certificates::require;
  options.client_ca = issuer().path();
  const server_context server = server_context::load(options);
  net::loopback::stream_pair below = connected_pair();
  std::thread other([&] {
    stream<net::stream&> at_server(below.server);
    std::error_code error;
    at_server.handshake(server, patience(), error);
    EXPECT_EQ(error.message(), "peer did not return a certificate");
  });
  stream<net::stream&> client(below.client);
  std::error_code error;
  client.handshake(client_context::load(trusting()), "server.example", patience(), error);
  char letter = 0;
  if (!error) client.read_some(asio::buffer(&letter, 1), error);
  other.join();
  EXPECT_EQ(error.category(), openssl_category());
  EXPECT_NE(error.message().find("alert"), std::string::npos) << error.message();
}

TEST_P(TlsHandshake, RefusesOtherApplicationProtocols) {
  server_options options = serving();
  options.alpn = {"http/1.1"};
  client_options wishes = trusting();
  wishes.alpn = {"h2"};
  const tls_pair pair = shake(server_context::load(options), client_context::load(wishes));
  EXPECT_TRUE(pair.server_error);
  EXPECT_NE(pair.client_error.message().find("no application protocol"), std::string::npos)
      << pair.client_error.message();
}

TEST_P(TlsHandshake, GoesOnWithItsContextWhenThatIsReloaded) {
  const certificate_files files =
      issuer().issue("changing", {.common_name = "before", .alternatives = "DNS:server.example"});
  server_context server = server_context::load(serving({files}));
  tls_pair before = shake(server, client_context::load(trusting()));
  issuer().issue("changing", {.common_name = "after", .alternatives = "DNS:server.example"});
  server.reload();
  const tls_pair after = shake(server, client_context::load(trusting()));
  EXPECT_EQ(before.client.peer()->subject, "CN=before");
  EXPECT_EQ(after.client.peer()->subject, "CN=after");
  char letter = 0;
  before.client.write_some(asio::buffer("w", 1));
  EXPECT_EQ(before.server.read_some(asio::buffer(&letter, 1)), 1U);
}

// One connection, on which the client has read: in TLS 1.3 its ticket comes with that.
tls_pair used_pair(const server_context& server, const client_context& client,
                   std::string_view host = "server.example") {
  tls_pair pair = shake(server, client, host);
  char letter = 0;
  pair.server.write_some(asio::buffer("w", 1));
  pair.client.read_some(asio::buffer(&letter, 1));
  return pair;
}

TEST_P(TlsHandshake, ResumesTheSessionsOfAHost) {
  for (const bool tickets : {true, false}) {
    server_options options = serving();
    options.session_tickets = tickets;
    server_context server = server_context::load(options);
    const client_context client = client_context::load(trusting());
    EXPECT_FALSE(used_pair(server, client).client.resumed());
    EXPECT_FALSE(used_pair(server, client, "127.0.0.1").client.resumed());
    server.reload();
    for (int round = 0; round < 2; ++round) {
      const tls_pair again = used_pair(server, client);
      EXPECT_TRUE(again.client.resumed() && again.server.resumed()) << tickets;
      EXPECT_EQ(again.client.peer()->subject, "CN=server");
      EXPECT_TRUE(again.client.peer()->verified);
    }
  }
}

TEST_P(TlsHandshake, KeepsNoSessionsIfToldSo) {
  server_options options = serving();
  client_options wishes = trusting();
  wishes.session_cache_entries = 0;
  const client_context forgetful = client_context::load(wishes);
  const server_context server = server_context::load(options);
  used_pair(server, forgetful);
  EXPECT_FALSE(used_pair(server, forgetful).client.resumed());
  options.session_tickets = false;
  options.session_cache_entries = 0;
  const server_context none = server_context::load(options);
  const client_context client = client_context::load(trusting());
  used_pair(none, client);
  EXPECT_FALSE(used_pair(none, client).client.resumed());
}

TEST_P(TlsHandshake, ResumesNothingThatWasAgreedUnderOtherRules) {
  server_options options = serving();
  options.session_tickets = false;
  const std::string ca = issuer().folder().write("clients.pem", read_whole(issuer().path()));
  options.clients = client_certificates::request;
  options.client_ca = ca;
  server_context server = server_context::load(options);
  const client_context client = client_context::load(trusting());
  used_pair(server, client);
  std::ofstream(ca, std::ios::app) << '\n';
  server.reload();
  EXPECT_FALSE(used_pair(server, client).server.resumed());
  EXPECT_TRUE(used_pair(server, client).server.resumed());
}

TEST(tls_handshake, ends_a_handshake_at_its_deadline) {
  net::loopback::stream_pair below = connected_pair();
  stream<net::stream&> server(below.server);
  const deadline before = server.expiry();
  std::error_code error;
  server.handshake(server_context::load({.certificates = {own_files()}}), soon(), error);
  EXPECT_EQ(error, asio::error::timed_out);
  EXPECT_EQ(server.expiry(), before);
  char letter = 0;
  server.read_some(asio::buffer(&letter, 1), error);
  EXPECT_EQ(error, asio::error::timed_out);
  server.handshake(server_context::load({.certificates = {own_files()}}), soon(), error);
  EXPECT_EQ(error, asio::error::already_connected);
}

std::string client_hello() {
  stream<scripted_stream> client{scripted_stream()};
  std::error_code error;
  client.handshake(client_context::load(trusting()), "server.example", deadline::never(), error);
  EXPECT_EQ(error, errc::stream_truncated);
  return client.next_layer().output;
}

struct conversation {
  std::string said;
  std::error_code error;
};

conversation converse(const server_context& context, std::string heard, std::size_t piece) {
  stream<scripted_stream> server{scripted_stream{.input = std::move(heard), .piece = piece}};
  conversation result;
  server.handshake(context, deadline::never(), result.error);
  result.said = server.next_layer().output;
  return result;
}

TEST(tls_handshake, survives_a_hello_that_is_cut_or_wrong) {
  constexpr char alert_record = 21;
  constexpr std::size_t header_bytes = 5;  // of the record: without a good one it is not TLS at all
  const server_context context = server_context::load({.certificates = {own_files()}});
  const std::string hello = client_hello();
  ASSERT_GT(hello.size(), 100U);
  for (std::size_t size = 0; size < hello.size(); ++size) {
    EXPECT_EQ(converse(context, hello.substr(0, size), 1).error, errc::stream_truncated);
  }
  std::uint64_t random = 7;
  int alerts = 0;
  for (int round = 0; round < 400; ++round) {
    std::string wrong = hello;
    for (int changes = 0; changes < 1 + round % 4; ++changes) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      const std::size_t at = header_bytes + (random >> 33) % (wrong.size() - header_bytes);
      wrong[at] ^= static_cast<char>(1 + (random >> 20) % 255);
    }
    const conversation answer = converse(context, wrong, 700);
    EXPECT_TRUE(answer.error);
    if (answer.error == errc::stream_truncated) continue;  // it waits for more, or the next flight
    EXPECT_FALSE(answer.said.empty()) << answer.error.message();
    EXPECT_EQ(answer.said.front(), alert_record) << answer.error.message();
    ++alerts;
  }
  EXPECT_GT(alerts, 100);
  const conversation plain = converse(context, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 700);
  EXPECT_EQ(plain.error.message(), "http request");
}

}  // namespace
}  // namespace umcg::tls
