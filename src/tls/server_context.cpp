// SPDX-License-Identifier: MIT

// A server's context is one SSL_CTX with what belongs to it, which is never changed once
// connections are made with it: reload() makes another. A connection keeps its own.

#include <algorithm>
#include <array>
#include <utility>

#include <asio/error.hpp>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/short_lock.hpp"
#include "tls/context_settings.hpp"
#include "tls/name_index.hpp"
#include "tls/openssl_error.hpp"
#include "tls/session_store.hpp"
#include "tls/ticket_keys.hpp"
#include "umcg/blocking_region.hpp"

namespace umcg::tls {
namespace {

// A ticket is for one connection (RFC 8446 C.4), and each connection brings the next one. OpenSSL
// would make two at first, each of which costs a twentieth of a handshake.
constexpr std::size_t tickets_for_connection = 1;

// What reloading leaves as it is.
struct kept_part {
  std::shared_ptr<ticket_keys> tickets;
  std::shared_ptr<session_store> sessions;
};

// What the callbacks of an SSL_CTX look at; it lives as long as that.
struct server_part {
  std::vector<certificate> certificates;
  std::vector<std::size_t> defaults;  // for clients that ask for no name that is known
  name_index names;
  std::string alpn;
  kept_part kept;
};

int part_index() {
  static const int index =
      SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_data<server_part>);
  return index;
}

server_part& part_of(const SSL_CTX* context) {
  return *static_cast<server_part*>(SSL_CTX_get_ex_data(context, part_index()));
}

server_part& part_of(const SSL* connection) { return part_of(SSL_get_SSL_CTX(connection)); }

// Exceptions must not pass through OpenSSL; only memory can be missing here.
template <class Body>
int without_exceptions(int failed, Body body) noexcept {
  try {
    return body();
  } catch (...) {
    return failed;
  }
}

// Tells the client that its name has meant something, which sessions need.
int acknowledge_name(SSL* connection, int*, void*) {
  const bool named = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name) != nullptr;
  return named ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int choose_certificates(SSL* connection, void*) {
  const server_part& part = part_of(connection);
  if (part.certificates.size() == 1) return 1;
  const char* const name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
  return without_exceptions(0, [&] {
    std::span<const std::size_t> chosen = part.names.find(name ? name : "");
    if (chosen.empty()) chosen = part.defaults;
    SSL_certs_clear(connection);
    // Later ones of the same type would replace the first.
    for (std::size_t i = chosen.size(); i-- > 0;) {
      const certificate& each = part.certificates[chosen[i]];
      if (SSL_use_cert_and_key(connection, each.leaf.get(), each.key.get(), each.chain.get(), 1) !=
          1) {
        return 0;
      }
    }
    return 1;
  });
}

int choose_alpn(SSL* connection, const unsigned char** out, unsigned char* out_size,
                const unsigned char* in, unsigned in_size, void*) {
  const std::string& ours = part_of(connection).alpn;
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int staple(SSL* connection, void*) {
  const auto& certificates = part_of(connection).certificates;
  const X509* const used = SSL_get_certificate(connection);
  const auto found = std::ranges::find_if(
      certificates, [used](const certificate& each) { return each.leaf.get() == used; });
  if (found == certificates.end() || found->staple.empty() ||
      found->staple_until < std::chrono::system_clock::now()) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  void* const copy = OPENSSL_memdup(found->staple.data(), found->staple.size());
  if (!copy) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(connection, copy, static_cast<long>(found->staple.size()));
  return SSL_TLSEXT_ERR_OK;
}

bool set_ticket_key(const ticket_key& key, EVP_MAC_CTX* authentication) {
  char digest[] = "SHA256";
  auto* const secret = const_cast<unsigned char*>(key.authentication.data());
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, key.authentication.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(authentication, parameters) == 1;
}

// As OpenSSL wants it: 1, 2 for a ticket that is to be replaced, 0 for one that is of no use (then
// there is a full handshake), -1 for an error.
int handle_ticket(SSL* connection, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                  EVP_MAC_CTX* authentication, int encrypts) {
  ticket_keys& keys = *part_of(connection).kept.tickets;
  const auto now = deadline::clock::now();
  if (encrypts != 0) {
    const auto key = keys.current(now);
    if (!key || RAND_bytes(iv, EVP_CIPHER_get_iv_length(keys.cipher())) != 1) return -1;
    std::ranges::copy(key->name, name);
    const bool ready =
        EVP_EncryptInit_ex(cipher, keys.cipher(), nullptr, key->encryption.data(), iv) == 1 &&
        set_ticket_key(*key, authentication);
    return ready ? 1 : -1;
  }
  const auto found = keys.find({name, std::tuple_size_v<decltype(ticket_key::name)>}, now);
  if (!found) return 0;
  const bool ready =
      set_ticket_key(found->key, authentication) &&
      EVP_DecryptInit_ex(cipher, keys.cipher(), nullptr, found->key.encryption.data(), iv) == 1;
  if (!ready) return -1;
  // In TLS 1.3 a ticket has been for this connection only; the client wants another one.
  return found->is_current && SSL_version(connection) < TLS1_3_VERSION ? 1 : 2;
}

std::string_view id_of(const SSL_SESSION* session) {
  unsigned size = 0;
  const unsigned char* const id = SSL_SESSION_get_id(session, &size);
  return {reinterpret_cast<const char*>(id), size};
}

// OpenSSL asks also for those whose tickets the client keeps. 0: its own reference stays its own.
int keep_session(SSL* connection, SSL_SESSION* session) {
  const bool ticketed = (SSL_get_options(connection) & SSL_OP_NO_TICKET) == 0;
  if (ticketed && SSL_version(connection) == TLS1_3_VERSION) return 0;
  return without_exceptions(0, [&] {
    SSL_SESSION_up_ref(session);
    part_of(connection).kept.sessions->put(id_of(session), owned_session(session));
    return 0;
  });
}

SSL_SESSION* find_session(SSL* connection, const unsigned char* id, int size, int* is_lent) {
  *is_lent = 0;
  return part_of(connection)
      .kept.sessions->find({reinterpret_cast<const char*>(id), static_cast<std::size_t>(size)})
      .release();
}

void remove_session(SSL_CTX* context, SSL_SESSION* session) {
  part_of(context).kept.sessions->remove(id_of(session), session);
}

// Each is given to the context too, which finds out whether OpenSSL accepts it. Of several only
// what choose_certificates() says counts.
void load_certificates(SSL_CTX* context, const server_options& options, server_part& into,
                       problem& wrong) {
  if (options.certificates.empty()) {
    wrong = {std::make_error_code(std::errc::invalid_argument), "no certificate"};
  }
  for (const certificate_files& each : options.certificates) {
    if (wrong) return;
    into.certificates.push_back(load_certificate(each, wrong));
    if (!wrong) use_certificate(context, into.certificates.back(), each.chain, wrong);
    const std::size_t number = into.certificates.size() - 1;
    for (const std::string& name : into.certificates.back().names) into.names.add(name, number);
  }
}

// The first, and those for its first name, which may have keys of other types.
void choose_defaults(server_part& of) {
  of.defaults = {0};
  const auto& names = of.certificates.front().names;
  if (names.empty()) return;
  for (const std::size_t each : of.names.find(names.front())) {
    if (each != 0) of.defaults.push_back(each);
  }
}

void ask_clients(SSL_CTX* context, const server_options& options, problem& wrong) {
  if (options.clients == client_certificates::none) return;
  const std::string& path = options.client_ca;
  if (path.empty()) {
    wrong = {std::make_error_code(std::errc::invalid_argument),
             "certificates of clients are asked for, but there is no client_ca"};
    return;
  }
  STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(path.c_str());
  if (!names || SSL_CTX_load_verify_file(context, path.c_str()) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    wrong = {take_openssl_error(), path + ": no certificates in PEM form"};
    return;
  }
  SSL_CTX_set_client_CA_list(context, names);
  const bool required = options.clients == client_certificates::require;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
}

// A session tells who the client is without asking again. So one that began under other rules for
// clients is not resumed under these: they are in the name that sessions are kept under.
void set_sessions(SSL_CTX* context, const server_options& options, problem& wrong) {
  std::string rules(1, static_cast<char>(options.clients));
  if (options.clients != client_certificates::none) rules += read_file(options.client_ca, wrong);
  unsigned char name[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(rules.data()), rules.size(), name);
  SSL_CTX_set_session_id_context(context, name, sizeof name);
  SSL_CTX_set_timeout(context, static_cast<long>(options.session_duration.count()));
  const bool kept = options.session_cache_entries > 0;
  SSL_CTX_set_session_cache_mode(
      context, kept ? SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
  if (options.session_tickets) {
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, handle_ticket);
  } else {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  }
  SSL_CTX_set_num_tickets(context, options.session_tickets || kept ? tickets_for_connection : 0);
}

void set_callbacks(SSL_CTX* context, const server_part& part) {
  SSL_CTX_set_tlsext_servername_callback(context, acknowledge_name);
  SSL_CTX_set_cert_cb(context, choose_certificates, nullptr);
  SSL_CTX_set_tlsext_status_cb(context, staple);
  if (!part.alpn.empty()) SSL_CTX_set_alpn_select_cb(context, choose_alpn, nullptr);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  SSL_CTX_sess_set_get_cb(context, find_session);
  SSL_CTX_sess_set_remove_cb(context, remove_session);
}

owned_context load_context(const server_options& options, const kept_part& kept, problem& wrong) {
  const blocking_region reads_files;
  owned_context made = make_context(
      TLS_server_method(), {options.version_min, options.version_max, options.ciphers}, wrong);
  if (wrong) return {};
  auto part = std::make_unique<server_part>();
  part->kept = kept;
  part->alpn = alpn_list(options.alpn, wrong);
  if (!wrong) load_certificates(made.get(), options, *part, wrong);
  if (!wrong) choose_defaults(*part);
  if (!wrong) ask_clients(made.get(), options, wrong);
  if (!wrong) set_sessions(made.get(), options, wrong);
  if (wrong) return {};
  set_callbacks(made.get(), *part);
  if (SSL_CTX_set_ex_data(made.get(), part_index(), part.get()) != 1) {
    wrong = {asio::error::no_memory, "OpenSSL cannot be set up"};
    return {};
  }
  part.release();  // NOLINT(bugprone-unused-return-value): the context has it now
  return made;
}

}  // namespace

class server_context::state {
 public:
  explicit state(const server_options& chosen)
      : options_(chosen),
        kept_{std::make_shared<ticket_keys>(chosen.session_duration),
              std::make_shared<session_store>(chosen.session_cache_entries)} {}

  void load(problem& wrong) {
    owned_context made = load_context(options_, kept_, wrong);
    if (wrong) return;
    const base::short_guard guard(lock_);
    current_.swap(made);
  }

  SSL* new_connection() noexcept {
    const owned_context used = current();
    SSL* const connection = SSL_new(used.get());
    if (connection) SSL_set_accept_state(connection);
    return connection;
  }

 private:
  owned_context current() noexcept {
    const base::short_guard guard(lock_);
    SSL_CTX_up_ref(current_.get());
    return owned_context(current_.get());
  }

  const server_options options_;
  const kept_part kept_;
  base::short_lock lock_;
  owned_context current_ UMCG_GUARDED_BY(lock_);
};

server_context::server_context(std::unique_ptr<state> loaded) noexcept
    : state_(std::move(loaded)) {}
server_context::server_context(server_context&& other) noexcept = default;
server_context& server_context::operator=(server_context&& other) noexcept = default;
server_context::~server_context() = default;

server_context server_context::load(const server_options& options) {
  problem wrong;
  auto loaded = std::make_unique<state>(options);
  loaded->load(wrong);
  wrong.raise();
  return server_context(std::move(loaded));
}

server_context server_context::load(const server_options& options, std::error_code& error) {
  problem wrong;
  auto loaded = std::make_unique<state>(options);
  loaded->load(wrong);
  error = wrong.code;
  return server_context(std::move(loaded));
}

void server_context::reload() {
  problem wrong;
  state_->load(wrong);
  wrong.raise();
}

void server_context::reload(std::error_code& error) {
  problem wrong;
  state_->load(wrong);
  error = wrong.code;
}

ssl_st* server_context::new_connection() const noexcept { return state_->new_connection(); }

}  // namespace umcg::tls
