// SPDX-License-Identifier: MIT

#include "tls/context_settings.hpp"

#include "tls/openssl_error.hpp"

namespace umcg::tls {
namespace {

constexpr const char* default_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* cipher_suites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr int security_level = 2;  // 112 bits: RSA of 2,048 bits, no SHA-1

// A client without instructions for AES prefers ChaCha20, and gets it; otherwise the server's order
// counts.
constexpr std::uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                  SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;

// A chain is what its file says. OpenSSL would look for what is missing among the roots that we
// trust clients by, once more in each handshake.
constexpr long modes = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN;

int number_of(version which) { return which == version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION; }

}  // namespace

owned_context make_context(const SSL_METHOD* side, const protocol_settings& settings,
                           problem& wrong) {
  drop_openssl_errors();
  owned_context made(SSL_CTX_new(side));
  SSL_CTX* const context = made.get();
  const char* const ciphers = settings.ciphers.empty() ? default_ciphers : settings.ciphers.c_str();
  if (!context || SSL_CTX_set_min_proto_version(context, number_of(settings.version_min)) != 1 ||
      SSL_CTX_set_max_proto_version(context, number_of(settings.version_max)) != 1 ||
      SSL_CTX_set_ciphersuites(context, cipher_suites) != 1 ||
      SSL_CTX_set1_groups_list(context, groups) != 1) {
    wrong = {take_openssl_error(), "OpenSSL cannot be set up"};
    return {};
  }
  SSL_CTX_set_security_level(context, security_level);
  if (SSL_CTX_set_cipher_list(context, ciphers) != 1) {
    wrong = {take_openssl_error(), "ciphers \"" + settings.ciphers + '"'};
    return {};
  }
  SSL_CTX_set_options(context, options);
  SSL_CTX_set_mode(context, modes);
  // OpenSSL takes all that has arrived at once: the engine hands it over in one piece.
  SSL_CTX_set_read_ahead(context, 1);
  return made;
}

void use_certificate(SSL_CTX* context, const certificate& used, const std::string& path,
                     problem& wrong) {
  if (SSL_CTX_use_cert_and_key(context, used.leaf.get(), used.key.get(), used.chain.get(), 1) !=
      1) {
    wrong = {take_openssl_error(), path + " cannot be used"};
  }
}

std::string alpn_list(const std::vector<std::string>& names, problem& wrong) {
  std::string list;
  for (const std::string& each : names) {
    if (each.empty() || each.size() > 255) {
      wrong = {std::make_error_code(std::errc::invalid_argument),
               "\"" + each + "\" is not an application protocol"};
    }
    list += static_cast<char>(each.size());
    list += each;
  }
  return list;
}

}  // namespace umcg::tls
