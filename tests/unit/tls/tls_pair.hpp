// SPDX-License-Identifier: MIT
#pragma once

// Two ends of a TLS connection over loopback, and certificates for them.

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "umcg/tls/stream.hpp"
#include "unit/net/loopback.hpp"
#include "unit/tls/authority.hpp"

namespace umcg::tls::testing {

inline const authority& issuer() {
  static const authority one("issuer");
  return one;
}

inline const certificate_files& own_files() {
  static const certificate_files files = issuer().issue(
      "server", {.common_name = "server", .alternatives = "DNS:server.example,IP:127.0.0.1"});
  return files;
}

inline client_options trusting() { return {.ca = issuer().path()}; }

struct tls_pair {
  stream<> client;
  stream<> server;
  std::error_code client_error;
  std::error_code server_error;
};

// Both ends over loopback, after a handshake that may have failed.
inline tls_pair shake(const server_context& server, const client_context& client,
                      std::string_view host = "server.example") {
  net::loopback::stream_pair below = net::loopback::connected_pair();
  tls_pair pair{stream<>(std::move(below.client)), stream<>(std::move(below.server)), {}, {}};
  std::thread other([&] {
    pair.server.handshake(server, net::loopback::patience(), pair.server_error);
    std::error_code ignored;
    if (pair.server_error) pair.server.next_layer().shutdown_send(ignored);
  });
  pair.client.handshake(client, host, net::loopback::patience(), pair.client_error);
  if (pair.client_error) {
    std::error_code ignored;
    pair.client.next_layer().shutdown_send(ignored);
  }
  other.join();
  return pair;
}

// For tests of both versions.
class of_each_version : public ::testing::TestWithParam<version> {
 protected:
  // Certificates of `files`, and the version of the test.
  server_options serving(std::vector<certificate_files> files = {own_files()}) const {
    return {.certificates = std::move(files), .version_max = GetParam()};
  }
  tls_pair good_pair() const {
    return shake(server_context::load(serving()), client_context::load(trusting()));
  }
};
inline std::string version_name(const ::testing::TestParamInfo<version>& of) {
  return of.param == version::tls_1_2 ? "TLS_1_2" : "TLS_1_3";
}

}  // namespace umcg::tls::testing
