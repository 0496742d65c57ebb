// SPDX-License-Identifier: MIT
#pragma once

// What contexts of servers and of clients have in common.

#include <string>
#include <vector>

#include "tls/certificate.hpp"
#include "tls/openssl_objects.hpp"
#include "tls/problem.hpp"
#include "umcg/tls/context.hpp"

namespace umcg::tls {

struct protocol_settings {
  version version_min;
  version version_max;
  const std::string& ciphers;  // empty: the default
};

// A context for one side, set up as umcg/tls/context.hpp promises. Errors: in `wrong`.
owned_context make_context(const SSL_METHOD* side, const protocol_settings& settings,
                           problem& wrong);

// Offers a certificate in all connections. Errors: in `wrong`, a key that is too small for
// OpenSSL's security level for one.
void use_certificate(SSL_CTX* context, const certificate& used, const std::string& path,
                     problem& wrong);

// Application protocols as they are sent: each after its length. Errors: in `wrong`, a name that is
// empty or has more than 255 bytes.
std::string alpn_list(const std::vector<std::string>& names, problem& wrong);

}  // namespace umcg::tls
