// SPDX-License-Identifier: MIT
#pragma once

// Who the peer of a TLS connection is, by its certificate.

#include <string>
#include <vector>

namespace umcg::tls {

struct peer_identity {
  std::string subject;  // as RFC 2253 writes it: "CN=alice,O=Example"
  std::string issuer;
  // Of the subjectAltName extension. Names with bytes that are not printable ASCII are left out: no
  // honest issuer signs them.
  std::vector<std::string> dns_names;
  std::vector<std::string> email_addresses;
  std::vector<std::string> uris;
  std::string sha256;  // of the certificate's DER form, in small hexadecimal digits
  // Whether the certificate is valid now, of a trusted issuer, and has the name that was asked for.
  // False only where the context was told not to care.
  bool verified = false;
};

}  // namespace umcg::tls
