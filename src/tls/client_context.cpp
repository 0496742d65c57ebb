// SPDX-License-Identifier: MIT

#include <memory>
#include <new>
#include <string>
#include <utility>

#include <asio/error.hpp>
#include <asio/ip/address.hpp>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "tls/context_settings.hpp"
#include "tls/openssl_error.hpp"
#include "tls/session_store.hpp"
#include "umcg/blocking_region.hpp"

namespace umcg::tls {
namespace {

void trust(SSL_CTX* context, const client_options& options, problem& wrong) {
  if (options.ca.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) {
      wrong = {take_openssl_error(), "the system's certificates cannot be used"};
    }
  } else if (SSL_CTX_load_verify_file(context, options.ca.c_str()) != 1) {
    wrong = {take_openssl_error(), options.ca + ": no certificates in PEM form"};
  }
  SSL_CTX_set_verify(context, options.verify_certificate ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     nullptr);
}

// Of a connection: the host that its sessions are for.
int host_index() {
  static const int index =
      SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_data<std::string>);
  return index;
}

// Of a context: where they are kept, for as long as there are connections.
int store_index() {
  static const int index =
      SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_data<session_store>);
  return index;
}

session_store* store_of(const SSL_CTX* context) {
  return static_cast<session_store*>(SSL_CTX_get_ex_data(context, store_index()));
}

// 0: OpenSSL's own reference stays its own. Exceptions must not pass through it.
int keep_session(SSL* connection, SSL_SESSION* session) {
  const auto* const host = static_cast<std::string*>(SSL_get_ex_data(connection, host_index()));
  if (host == nullptr) return 0;
  SSL_SESSION_up_ref(session);
  owned_session kept(session);
  try {
    store_of(SSL_get_SSL_CTX(connection))->put(*host, std::move(kept));
  } catch (const std::bad_alloc&) {
    return 0;  // the next connection begins a session of its own
  }
  return 0;
}

void keep_sessions(SSL_CTX* context, std::size_t entries_max, problem& wrong) {
  auto store = std::make_unique<session_store>(entries_max);
  if (SSL_CTX_set_ex_data(context, store_index(), store.get()) != 1) {
    wrong = {asio::error::no_memory, "OpenSSL cannot be set up"};
    return;
  }
  store.release();  // NOLINT(bugprone-unused-return-value): the context has it now
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
}

// Goes on with a session of that host, if there is one. False: no memory.
bool resume(SSL* connection, const std::string& host) {
  auto kept = std::make_unique<std::string>(host);
  if (SSL_set_ex_data(connection, host_index(), kept.get()) != 1) return false;
  kept.release();  // NOLINT(bugprone-unused-return-value): the connection has it now
  const owned_session session = store_of(SSL_get_SSL_CTX(connection))->take(host);
  return !session || SSL_set_session(connection, session.get()) == 1;
}

owned_context load_context(const client_options& options, problem& wrong) {
  const blocking_region reads_files;
  owned_context made = make_context(
      TLS_client_method(), {options.version_min, options.version_max, options.ciphers}, wrong);
  if (!wrong) trust(made.get(), options, wrong);
  if (!wrong && !options.certificate.chain.empty()) {
    const certificate own = load_certificate(options.certificate, wrong);
    if (!wrong) use_certificate(made.get(), own, options.certificate.chain, wrong);
  }
  if (!wrong) keep_sessions(made.get(), options.session_cache_entries, wrong);
  if (wrong) return {};
  const std::string protocols = alpn_list(options.alpn, wrong);
  if (SSL_CTX_set_alpn_protos(made.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                              static_cast<unsigned>(protocols.size())) != 0) {
    wrong = {asio::error::no_memory, "OpenSSL cannot be set up"};
  }
  return made;
}

// RFC 9525 6.3 and 6.2: a wildcard is a whole label, and the subject's common name does not count.
bool verify_name(SSL* connection, const std::string& name, bool is_address) {
  SSL_set_hostflags(connection,
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (is_address) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), name.c_str()) == 1;
  }
  return SSL_set1_host(connection, name.c_str()) == 1;
}

}  // namespace

class client_context::state {
 public:
  state(const client_options& chosen, problem& wrong)
      : verifies_host_(chosen.verify_host && chosen.verify_certificate),
        context_(load_context(chosen, wrong)) {}

  SSL* new_connection(std::string_view host, std::error_code& error) const {
    if (host.ends_with('.')) host.remove_suffix(1);
    const std::string name(host);
    std::error_code no_address;
    asio::ip::make_address(name, no_address);
    const bool is_name = static_cast<bool>(no_address);
    SSL* const connection = SSL_new(context_.get());
    if (!connection) {
      error = asio::error::no_memory;
      return nullptr;
    }
    SSL_set_connect_state(connection);
    const bool asked =
        name.empty() || !is_name || SSL_set_tlsext_host_name(connection, name.c_str()) == 1;
    const bool verifies =
        !verifies_host_ || (!name.empty() && verify_name(connection, name, !is_name));
    const bool valid = asked && verifies && name.find('\0') == name.npos;
    if (valid && (name.empty() || resume(connection, name))) return connection;
    SSL_free(connection);
    drop_openssl_errors();
    error = valid ? asio::error::no_memory : asio::error::invalid_argument;
    return nullptr;
  }

 private:
  const bool verifies_host_;
  const owned_context context_;
};

client_context::client_context(std::unique_ptr<state> loaded) noexcept
    : state_(std::move(loaded)) {}
client_context::client_context(client_context&& other) noexcept = default;
client_context& client_context::operator=(client_context&& other) noexcept = default;
client_context::~client_context() = default;

client_context client_context::load(const client_options& options) {
  problem wrong;
  auto loaded = std::make_unique<state>(options, wrong);
  wrong.raise();
  return client_context(std::move(loaded));
}

client_context client_context::load(const client_options& options, std::error_code& error) {
  problem wrong;
  auto loaded = std::make_unique<state>(options, wrong);
  error = wrong.code;
  return client_context(std::move(loaded));
}

ssl_st* client_context::new_connection(std::string_view host, std::error_code& error) const {
  return state_->new_connection(host, error);
}

}  // namespace umcg::tls
