// SPDX-License-Identifier: MIT
#pragma once

// Owners of OpenSSL's objects.

#include <memory>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace umcg::tls {

template <auto Free>
struct freed_by {
  template <class Object>
  void operator()(Object* owned) const noexcept {
    Free(owned);
  }
};

struct freed_chain {
  void operator()(STACK_OF(X509) * owned) const noexcept { sk_X509_pop_free(owned, X509_free); }
};

// For data that OpenSSL's objects carry for us: they call it when they end.
template <class Data>
void free_data(void*, void* data, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Data*>(data);
}

using owned_bio = std::unique_ptr<BIO, freed_by<BIO_free>>;
using owned_chain = std::unique_ptr<STACK_OF(X509), freed_chain>;
using owned_cipher = std::unique_ptr<EVP_CIPHER, freed_by<EVP_CIPHER_free>>;
using owned_context = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;
using owned_key = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using owned_session = std::unique_ptr<SSL_SESSION, freed_by<SSL_SESSION_free>>;
using owned_x509 = std::unique_ptr<X509, freed_by<X509_free>>;

}  // namespace umcg::tls
