// SPDX-License-Identifier: MIT
#pragma once

// What OpenSSL takes for the network: an engine's bytes. It never waits.

#include <openssl/bio.h>

#include "umcg/tls/engine.hpp"

namespace umcg::tls {

// Null: no memory. The engine must outlive it.
BIO* make_bio(engine& of) noexcept;

}  // namespace umcg::tls
