// SPDX-License-Identifier: MIT
#pragma once

// Reads a certificate for people and handlers.

#include <openssl/x509.h>

#include "umcg/tls/peer_identity.hpp"

namespace umcg::tls {

peer_identity identity_of(const X509* certificate, bool verified);

}  // namespace umcg::tls
