// SPDX-License-Identifier: MIT
#pragma once

// What many TLS connections have in common: certificates, versions, ciphers, whom to trust. TLS 1.2
// and 1.3; early data, renegotiation and compression are off.
//
// The default ciphers are the intermediate recommendation of Mozilla (Server Side TLS 5.7) without
// finite-field Diffie-Hellman: forward secrecy and authenticated encryption, always.
//
// Thread safety: all functions but moving and destruction may be called by any worker or thread at
// any time. Loading and reloading read files, which blocks the calling kernel thread like any read
// of a file. A context may be destroyed while connections that were made with it go on.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

struct ssl_st;  // of OpenSSL

namespace umcg::tls {

enum class version : std::uint8_t { tls_1_2, tls_1_3 };

// All in PEM form but the last.
struct certificate_files {
  std::string chain;  // the certificate first, then those that it was issued by, without the root
  std::string key;    // not encrypted; may be the same file
  // An OCSP response in DER form, which is stapled until its nextUpdate has passed. Empty: none.
  std::string ocsp_staple = {};
};

enum class client_certificates : std::uint8_t {
  none,     // clients are not asked for one
  request,  // they are asked, and may have none; a bad one ends the handshake
  require,
};

struct server_options {
  // A client that asks for a name (SNI) gets the first certificate that is for this name, one that
  // asks for none or an unknown one gets the first of all. What a certificate is for are the DNS
  // names of its subjectAltName; "*.example.com" is for one more label and no other number of them
  // (RFC 9525 6.3). Two certificates for a name with keys of different types, such as RSA and
  // ECDSA, are both offered.
  std::vector<certificate_files> certificates = {};
  // Application protocols, the preferred one first (RFC 7301). A client that offers only others is
  // refused; one that offers none is not asked. Empty: protocols are not negotiated.
  std::vector<std::string> alpn = {};
  version version_min = version::tls_1_2;
  version version_max = version::tls_1_3;
  std::string ciphers = {};  // of TLS 1.2, as OpenSSL lists them; empty: the default, see above

  client_certificates clients = client_certificates::none;
  std::string client_ca = {};  // PEM file with the roots that issue clients' certificates

  // For how long a session can be resumed.
  std::chrono::seconds session_duration = std::chrono::hours(2);
  // The client keeps the session, encrypted by a key that is replaced after session_duration and
  // forgotten after twice that. Keys outlive reload(), not the process. Each connection gives the
  // client one ticket.
  bool session_tickets = true;
  // The sessions of clients without tickets are kept here, at most so many, the newest; 0: none.
  // They too outlive reload().
  std::size_t session_cache_entries = 10'000;
};

class server_context {
 public:
  // Errors, each with a text that names the file and what is wrong with it: those of reading files,
  // OpenSSL's, invalid_argument for options.
  static server_context load(const server_options& options);
  static server_context load(const server_options& options, std::error_code& error);

  server_context(server_context&& other) noexcept;
  server_context& operator=(server_context&& other) noexcept;
  ~server_context();

  // Reads all files again, for connections that begin later. Those that have begun are not
  // disturbed. On an error everything stays as it was. Errors as load().
  void reload();
  void reload(std::error_code& error);

  // For tls::engine: OpenSSL's object for one more connection; null: no memory.
  ssl_st* new_connection() const noexcept;

 private:
  class state;
  explicit server_context(std::unique_ptr<state> loaded) noexcept;
  std::unique_ptr<state> state_;
};

struct client_options {
  // PEM file with the roots to trust; empty: the system's.
  std::string ca = {};
  // Whether the peer's certificate has to be valid and of a trusted issuer. Without that anybody
  // can be in between: for tests.
  bool verify_certificate = true;
  // Whether it has to be for the host that was asked for.
  bool verify_host = true;
  // Shown to servers that ask for it; a chain without a name: none.
  certificate_files certificate = {};
  std::vector<std::string> alpn = {};  // application protocols, the preferred one first
  version version_min = version::tls_1_2;
  version version_max = version::tls_1_3;
  std::string ciphers = {};  // of TLS 1.2, as OpenSSL lists them; empty: the default
  // Sessions to resume, at most so many, the newest, each with the host that it was begun with: a
  // host is verified when its session begins. Those of TLS 1.3 are resumed once (RFC 8446 C.4), and
  // come with what a server sends after the handshake: who reads nothing has none. 0: none.
  std::size_t session_cache_entries = 100;
};

class client_context {
 public:
  // Errors as of server_context::load().
  static client_context load(const client_options& options = {});
  static client_context load(const client_options& options, std::error_code& error);

  client_context(client_context&& other) noexcept;
  client_context& operator=(client_context&& other) noexcept;
  ~client_context();

  // For tls::engine: OpenSSL's object for one more connection, to `host`: a name, for which a
  // server is asked (SNI), or an address. Errors: invalid_argument (no host, where it has to be
  // verified, or one that cannot be), not_enough_memory.
  ssl_st* new_connection(std::string_view host, std::error_code& error) const;

 private:
  class state;
  explicit client_context(std::unique_ptr<state> loaded) noexcept;
  std::unique_ptr<state> state_;
};

}  // namespace umcg::tls
