// SPDX-License-Identifier: MIT

#include "umcg/tls/peer_identity.hpp"

#include <string_view>

#include <openssl/x509v3.h>

#include "tls/certificate.hpp"
#include "tls/identity_of.hpp"

namespace umcg::tls {
namespace {

std::string text_of(const X509_NAME* name) {
  const owned_bio out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string fingerprint(const X509* of) {
  constexpr std::string_view digits = "0123456789abcdef";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(of, EVP_sha256(), digest, &size) != 1) return {};
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += digits[digest[i] >> 4];
    text += digits[digest[i] & 15];
  }
  return text;
}

}  // namespace

peer_identity identity_of(const X509* certificate, bool verified) {
  return {.subject = text_of(X509_get_subject_name(certificate)),
          .issuer = text_of(X509_get_issuer_name(certificate)),
          .dns_names = alternative_names(certificate, GEN_DNS),
          .email_addresses = alternative_names(certificate, GEN_EMAIL),
          .uris = alternative_names(certificate, GEN_URI),
          .sha256 = fingerprint(certificate),
          .verified = verified};
}

}  // namespace umcg::tls
