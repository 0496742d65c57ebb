// SPDX-License-Identifier: MIT
#pragma once

// How the TLS layer reports errors, beside those of the stream below, which pass through as they
// are: asio::error::timed_out, connection_reset, ... Text for people is in message() of each.

#include <system_error>

namespace umcg::tls {

enum class errc {
  // The stream below ended without the peer's close_notify: what was received may not be all that
  // was sent (RFC 8446 6.1).
  stream_truncated = 1,
};

// Of errc.
const std::error_category& category() noexcept;

// What OpenSSL says: its packed error codes. The peer's alerts are among them: "tlsv1 alert unknown
// ca" was received.
const std::error_category& openssl_category() noexcept;

// Why a certificate of the peer was not accepted: the X509_V_ERR_ values of OpenSSL, "certificate
// has expired", "hostname mismatch".
const std::error_category& verification_category() noexcept;

inline std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), category()};
}

}  // namespace umcg::tls

template <>
struct std::is_error_code_enum<umcg::tls::errc> : std::true_type {};
