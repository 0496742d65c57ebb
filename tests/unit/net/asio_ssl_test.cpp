// SPDX-License-Identifier: MIT

// Debian's Asio puts its TLS streams on ours, and needs no thread for that.

#include <string>
#include <thread>

#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/ssl.hpp>
#include <asio/write.hpp>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "unit/io/reactor_test.hpp"
#include "unit/net/loopback.hpp"

namespace umcg::net {
namespace {

using loopback::connected_pair;
using loopback::numbered_bytes;
using loopback::patience;

using tls_stream = asio::ssl::stream<stream>;
static_assert(std::is_same_v<tls_stream::lowest_layer_type, stream>);
static_assert(sizeof(stream) == 24, "a connection's worker owns one: it holds what all need");

// A certificate for localhost, signed by itself.
struct identity {
  identity() : key(::EVP_EC_gen("P-256")), certificate(::X509_new()) {
    ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), 1);
    ::X509_gmtime_adj(::X509_getm_notBefore(certificate), -3600);
    ::X509_gmtime_adj(::X509_getm_notAfter(certificate), 3600);
    ::X509_set_pubkey(certificate, key);
    X509_NAME* const name = ::X509_get_subject_name(certificate);
    const auto* const text = reinterpret_cast<const unsigned char*>("localhost");
    ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0);
    ::X509_set_issuer_name(certificate, name);
    ::X509_sign(certificate, key, ::EVP_sha256());
  }
  ~identity() {
    ::X509_free(certificate);
    ::EVP_PKEY_free(key);
  }
  identity(const identity&) = delete;
  identity& operator=(const identity&) = delete;

  EVP_PKEY* key;
  X509* certificate;
};

struct contexts {
  contexts() : server(asio::ssl::context::tls_server), client(asio::ssl::context::tls_client) {
    const identity self;
    ::SSL_CTX_use_certificate(server.native_handle(), self.certificate);
    ::SSL_CTX_use_PrivateKey(server.native_handle(), self.key);
    ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(client.native_handle()), self.certificate);
    client.set_verify_mode(asio::ssl::verify_peer);
    client.set_verify_callback(asio::ssl::host_name_verification("localhost"));
  }
  asio::ssl::context server;
  asio::ssl::context client;
};

// Answers one line with many bytes, and closes.
void serve(stream plain, asio::ssl::context& context, const std::vector<std::byte>& much) {
  tls_stream peer(std::move(plain), context);
  peer.handshake(asio::ssl::stream_base::server);
  std::string line;
  asio::read_until(peer, asio::dynamic_buffer(line), "\r\n");
  EXPECT_EQ(line, "everything, please\r\n");
  EXPECT_EQ(asio::write(peer, asio::buffer(much)), much.size());
  peer.shutdown();
}

void ask(stream plain, asio::ssl::context& context, const std::vector<std::byte>& much) {
  tls_stream peer(std::move(plain), context);
  peer.handshake(asio::ssl::stream_base::client);
  asio::write(peer, asio::buffer(std::string("everything, please\r\n")));
  std::vector<std::byte> received;
  std::error_code error;
  asio::read(peer, asio::dynamic_buffer(received), error);
  EXPECT_EQ(error, asio::error::eof) << error.message();
  EXPECT_TRUE(received == much);
  peer.shutdown(error);
}

// The first one here: servers and carriers, which other tests start, come and go.
TEST(AsioTls, HasNoThreads) {
  contexts both;
  auto [client, server] = connected_pair();
  // The sanitizer's own comes with the first.
  std::thread([] {}).join();
  constexpr std::size_t before = testing::thread_sanitizer ? 2 : 1;
  ASSERT_TRUE(testing::becomes_true([] { return testing::kernel_threads() == before; }));
  std::vector<std::byte> much = numbered_bytes(100);
  std::thread other([&both, &much, plain = std::move(server)]() mutable {
    tls_stream peer(std::move(plain), both.server);
    peer.handshake(asio::ssl::stream_base::server);
    asio::read(peer, asio::buffer(much));
  });
  tls_stream peer(std::move(client), both.client);
  peer.handshake(asio::ssl::stream_base::client);
  EXPECT_EQ(testing::kernel_threads(), before + 1) << "ours alone";
  asio::write(peer, asio::buffer(much));
  other.join();
}

class AsioTlsOnWorkers : public testing::reactor_test {};

INSTANTIATE_TEST_SUITE_P(Over, AsioTlsOnWorkers, testing::all_reactors(), testing::reactor_name);

// Where one server runs both sides, a call that blocked it would end nothing.
TEST_P(AsioTlsOnWorkers, TalkThroughOneServer) {
  contexts both;
  const std::vector<std::byte> much = numbered_bytes(1'000'001);
  group workers = start({.servers = 1});
  listener accepting = listener::bind(parse_endpoint("127.0.0.1:0"));
  worker server = workers.spawn([&] {
    stream peer = accepting.accept(patience());
    peer.expires_at(patience());
    serve(std::move(peer), both.server, much);
  });
  workers
      .spawn([&] {
        stream peer = stream::connect(accepting.local_endpoint(), patience());
        peer.expires_at(patience());
        ask(std::move(peer), both.client, much);
      })
      .join();
  server.join();
}

TEST_P(AsioTlsOnWorkers, DeadlinesOfTheLowestLayerEndAHandshake) {
  contexts both;
  group workers = start({.servers = 1});
  auto [client, silent] = connected_pair();
  workers
      .spawn([&both, plain = std::move(client)]() mutable {
        tls_stream peer(std::move(plain), both.client);
        peer.lowest_layer().expires_at(loopback::soon());
        std::error_code error;
        peer.handshake(asio::ssl::stream_base::client, error);
        EXPECT_EQ(error, asio::error::timed_out) << error.message();
      })
      .join();
}

}  // namespace
}  // namespace umcg::net
