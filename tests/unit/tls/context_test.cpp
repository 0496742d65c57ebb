// SPDX-License-Identifier: MIT

// What a context is made of: files and what can be wrong with them, names, keys of tickets.

#include "umcg/tls/context.hpp"

#include <gtest/gtest.h>

#include "tls/name_index.hpp"
#include "tls/session_store.hpp"
#include "tls/ticket_keys.hpp"
#include "umcg/tls/error.hpp"
#include "unit/tls/authority.hpp"

namespace umcg::tls {
namespace {

using namespace std::chrono_literals;
using testing::authority;

const authority& issuer() {
  static const authority one("issuer");
  return one;
}

const certificate_files& good() {
  static const certificate_files files =
      issuer().issue("good", {.common_name = "good", .alternatives = "DNS:good.example"});
  return files;
}

// What load() complains of; empty: nothing.
std::string complaint(const server_options& options) {
  std::error_code error;
  server_context::load(options, error);
  try {
    server_context::load(options);
  } catch (const std::system_error& failed) {
    EXPECT_EQ(failed.code(), error);
    return failed.what();
  }
  EXPECT_FALSE(error);
  return {};
}

std::string complaint(const certificate_files& files) {
  return complaint(server_options{.certificates = {files}});
}

TEST(server_context, loads) {
  EXPECT_EQ(complaint(good()), "");
  EXPECT_EQ(complaint(issuer().issue("rsa", {.common_name = "rsa", .rsa_bits = 2048})), "");
}

TEST(server_context, says_which_file_is_wrong_and_what_is) {
  const auto& folder = issuer().folder();
  const std::string missing = folder.file("missing");
  const std::string junk = folder.write("junk", "junk");
  EXPECT_EQ(complaint({.chain = missing, .key = good().key}),
            missing + " cannot be read: No such file or directory");
  EXPECT_EQ(complaint({.chain = good().chain, .key = missing}),
            missing + " cannot be read: No such file or directory");
  EXPECT_EQ(complaint({.chain = junk, .key = good().key}),
            junk + ": no certificate in PEM form: no start line");
  EXPECT_EQ(complaint({.chain = good().chain, .key = junk}).find(junk + ": no private key in PEM"),
            0U);
  const certificate_files other = issuer().issue("other", {.common_name = "other"});
  EXPECT_EQ(complaint({.chain = good().chain, .key = other.key}),
            other.key + " is not the key of the certificate in " + good().chain +
                ": key values mismatch");
  EXPECT_EQ(complaint({.chain = good().chain, .key = good().key, .ocsp_staple = junk})
                .find(junk + ": not an OCSP response"),
            0U);
  const certificate_files small = issuer().issue("small", {.common_name = "a", .rsa_bits = 1024});
  EXPECT_EQ(complaint(small), small.chain + " cannot be used: ee key too small");
}

TEST(server_context, says_what_is_wrong_with_options) {
  EXPECT_NE(complaint(server_options{}), "");
  EXPECT_EQ(complaint({.certificates = {good()}, .ciphers = "NONSENSE"}),
            "ciphers \"NONSENSE\": no cipher match");
  EXPECT_NE(complaint({.certificates = {good()}, .alpn = {""}}), "");
  EXPECT_NE(complaint({.certificates = {good()}, .clients = client_certificates::require}), "");
  const std::string junk = issuer().folder().write("no-ca", "x");
  EXPECT_EQ(
      complaint(
          {.certificates = {good()}, .clients = client_certificates::request, .client_ca = junk})
          .find(junk + ": no certificates in PEM form"),
      0U);
}

// A terminal that is asked for a password would stop the server's start for good.
TEST(server_context, refuses_encrypted_keys) {
  const std::string key = issuer().folder().write("encrypted.key",
                                                  "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
                                                  "-----END ENCRYPTED PRIVATE KEY-----\n");
  EXPECT_EQ(complaint({.chain = good().chain, .key = key})
                .find(key + ": the key is encrypted, which is not supported"),
            0U);
}

TEST(server_context, stays_as_it_was_if_reloading_fails) {
  const certificate_files files = issuer().issue("reloaded", {.common_name = "reloaded"});
  server_context context = server_context::load({.certificates = {files}});
  std::error_code error;
  context.reload(error);
  EXPECT_FALSE(error);
  std::filesystem::remove(files.chain);
  EXPECT_THROW(context.reload(), std::system_error);
  context.reload(error);
  EXPECT_EQ(error, std::errc::no_such_file_or_directory);
  ssl_st* const connection = context.new_connection();
  EXPECT_NE(connection, nullptr);
  SSL_free(connection);
}

TEST(client_context, says_what_is_wrong) {
  std::error_code error;
  client_context::load({.ca = issuer().folder().file("missing")}, error);
  EXPECT_TRUE(error);
  client_context::load({.ca = issuer().path(), .certificate = good()}, error);
  EXPECT_FALSE(error);
  const client_context context = client_context::load({.ca = issuer().path()});
  for (const std::string_view host : {std::string_view(""), std::string_view("a\0b", 3)}) {
    error.clear();
    EXPECT_EQ(context.new_connection(host, error), nullptr);
    EXPECT_TRUE(error);
  }
}

std::vector<std::size_t> found(const name_index& index, std::string_view name) {
  const auto numbers = index.find(name);
  return {numbers.begin(), numbers.end()};
}

TEST(name_index, follows_rfc_9525) {
  name_index index;
  using numbers = std::vector<std::size_t>;
  const char* const names[] = {"a.example",
                               "*.example.com",
                               "www.example.com",
                               "*.a.example.com",
                               "*",
                               "*.com",
                               "f*.example.org",
                               "*.*.example.net",
                               "a..b",
                               "",
                               "b.example."};
  for (std::size_t i = 0; i < std::size(names); ++i) index.add(names[i], i);
  index.add("a.example", 20);
  EXPECT_EQ(found(index, "a.example"), (numbers{0, 20}));
  EXPECT_EQ(found(index, "A.Example."), (numbers{0, 20}));
  EXPECT_EQ(found(index, "b.example"), numbers{10});
  EXPECT_EQ(found(index, "x.example.com"), numbers{1});
  EXPECT_EQ(found(index, "www.example.com"), numbers{2});  // itself before a wildcard
  EXPECT_EQ(found(index, "x.a.example.com"), numbers{3});
  EXPECT_EQ(found(index, "example.com"), numbers{});      // one label more, not none,
  EXPECT_EQ(found(index, "x.y.example.com"), numbers{});  // and not two
  EXPECT_EQ(found(index, ".example.com"), numbers{});
  EXPECT_EQ(found(index, "x.com"), numbers{});
  EXPECT_EQ(found(index, "foo.example.org"), numbers{});
  EXPECT_EQ(found(index, "x.y.example.net"), numbers{});
  EXPECT_EQ(found(index, "*.example.com"), numbers{});
  EXPECT_EQ(found(index, "a..b"), numbers{});
  EXPECT_EQ(found(index, ""), numbers{});
}

TEST(ticket_keys, are_replaced_and_forgotten) {
  ticket_keys keys(10s);
  const auto begin = deadline::clock::now();
  const ticket_key first = keys.current(begin).value();
  EXPECT_EQ(keys.current(begin + 9s)->name, first.name);
  EXPECT_TRUE(keys.find(first.name, begin + 9s)->is_current);
  // Nobody needs a new one yet: the old one opens tickets all the same.
  EXPECT_FALSE(keys.find(first.name, begin + 10s)->is_current);
  const ticket_key second = keys.current(begin + 11s).value();
  EXPECT_NE(second.name, first.name);
  EXPECT_NE(second.encryption, first.encryption);
  EXPECT_EQ(keys.find(first.name, begin + 19s)->key.encryption, first.encryption);
  EXPECT_TRUE(keys.find(second.name, begin + 19s)->is_current);
  EXPECT_FALSE(keys.find(first.name, begin + 20s));
  EXPECT_TRUE(keys.find(second.name, begin + 20s));
  EXPECT_FALSE(keys.find(second.name, begin + 31s));
  EXPECT_NE(keys.current(begin + 100s)->name, second.name);
}

owned_session session_of(int protocol, long seconds = 100) {
  owned_session made(SSL_SESSION_new());
  SSL_SESSION_set_protocol_version(made.get(), protocol);
  // Resumable is what has an id or a ticket.
  const unsigned char id[] = {1};
  SSL_SESSION_set1_id(made.get(), id, sizeof id);
  SSL_SESSION_set_timeout(made.get(), seconds);
  return made;
}

TEST(session_store, gives_one_session_for_each_connection) {
  session_store store(10);
  EXPECT_EQ(store.take("a"), nullptr);
  store.put("a", session_of(TLS1_3_VERSION));
  store.put("a", session_of(TLS1_3_VERSION));
  store.put("b", session_of(TLS1_3_VERSION, 0));
  EXPECT_NE(store.find("a"), nullptr);
  const owned_session first = store.take("a");
  EXPECT_NE(first, nullptr);
  const owned_session second = store.take("a");
  EXPECT_NE(second, nullptr);
  EXPECT_NE(first, second);
  EXPECT_EQ(store.take("a"), nullptr);
  EXPECT_EQ(store.take("b"), nullptr);  // its time is over
  store.put("a", session_of(TLS1_2_VERSION));
  const owned_session replacing = session_of(TLS1_2_VERSION);
  SSL_SESSION_up_ref(replacing.get());
  store.put("a", owned_session(replacing.get()));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(store.take("a"), replacing);
  store.remove("a", first.get());
  EXPECT_EQ(store.find("a"), replacing);
  store.remove("a", replacing.get());
  EXPECT_EQ(store.find("a"), nullptr);
}

TEST(session_store, keeps_the_newest) {
  session_store store(2), none(0);
  for (const char* const each : {"a", "b", "a", "c"}) store.put(each, session_of(TLS1_3_VERSION));
  EXPECT_EQ(store.find("b"), nullptr);
  EXPECT_NE(store.take("a"), nullptr);
  EXPECT_EQ(store.take("a"), nullptr);
  EXPECT_NE(store.find("c"), nullptr);
  none.put("a", session_of(TLS1_3_VERSION));
  EXPECT_EQ(none.find("a"), nullptr);
}

TEST(error, has_words_for_people) {
  EXPECT_NE(make_error_code(errc::stream_truncated).message(), "");
  EXPECT_EQ(std::error_code(10, verification_category()).message(),
            "certificate: certificate has expired");
  EXPECT_NE(std::error_code(1, openssl_category()).message(), "");
}

}  // namespace
}  // namespace umcg::tls
