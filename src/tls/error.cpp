// SPDX-License-Identifier: MIT

#include "umcg/tls/error.hpp"

#include <string>

#include <asio/error.hpp>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "tls/openssl_error.hpp"

namespace umcg::tls {
namespace {

class own_errors final : public std::error_category {
 public:
  const char* name() const noexcept override { return "umcg.tls"; }
  std::string message(int value) const override {
    if (value == static_cast<int>(errc::stream_truncated)) {
      return "the peer is gone without saying that it has sent all (no close_notify)";
    }
    return "unknown error " + std::to_string(value);
  }
};

class openssl_errors final : public std::error_category {
 public:
  const char* name() const noexcept override { return "umcg.tls.openssl"; }
  std::string message(int value) const override {
    const auto code = static_cast<unsigned long>(static_cast<unsigned>(value));
    if (ERR_SYSTEM_ERROR(code)) return std::generic_category().message(ERR_GET_REASON(code));
    if (const char* const reason = ERR_reason_error_string(code)) return reason;
    return "OpenSSL error " + std::to_string(code);
  }
};

class verification_errors final : public std::error_category {
 public:
  const char* name() const noexcept override { return "umcg.tls.verification"; }
  std::string message(int value) const override {
    return std::string("certificate: ") + X509_verify_cert_error_string(value);
  }
};

}  // namespace

const std::error_category& category() noexcept {
  static const own_errors errors;
  return errors;
}

const std::error_category& openssl_category() noexcept {
  static const openssl_errors errors;
  return errors;
}

const std::error_category& verification_category() noexcept {
  static const verification_errors errors;
  return errors;
}

// The packed code has 32 bits.
std::error_code take_openssl_error() noexcept {
  const unsigned long oldest = ERR_get_error();
  ERR_clear_error();
  if (oldest == 0) return asio::error::no_memory;
  return {static_cast<int>(static_cast<unsigned>(oldest)), openssl_category()};
}

void drop_openssl_errors() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace umcg::tls
