// SPDX-License-Identifier: MIT
#pragma once

// Issues certificates for tests, into a folder that goes with it.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

#include <openssl/bn.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "umcg/tls/context.hpp"

namespace umcg::tls::testing {

constexpr long day_seconds = 24 * 60 * 60;

inline void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

class test_folder {
 public:
  test_folder() {
    char name[] = "/tmp/umcg-tls-XXXXXX";
    require(::mkdtemp(name) != nullptr, "mkdtemp");
    path_ = name;
  }
  ~test_folder() { std::filesystem::remove_all(path_); }
  test_folder(const test_folder&) = delete;
  test_folder& operator=(const test_folder&) = delete;

  std::string file(const std::string& name) const { return path_ + '/' + name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
    return file(name);
  }

 private:
  std::string path_;
};

// What a certificate says. `alternatives` as OpenSSL writes them: "DNS:a.example,IP:127.0.0.1".
struct certificate_request {
  std::string common_name;
  std::string alternatives = {};
  long from_seconds = -day_seconds;  // from now
  long until_seconds = day_seconds;
  int rsa_bits = 0;  // 0: a key on the curve P-256
};

class authority {
 public:
  explicit authority(const std::string& name) : key_(make_key(0)) {
    certificate_ = make(key_.get(), {.common_name = name}, "critical,CA:TRUE");
    path_ = folder_.file("ca.pem");
    write_pem(path_, *certificate_, nullptr);
  }

  // The root's certificate as a PEM file.
  const std::string& path() const { return path_; }
  const test_folder& folder() const { return folder_; }

  // Writes NAME.pem and NAME.key.
  certificate_files issue(const std::string& name, const certificate_request& wanted) const {
    const auto key = make_key(wanted.rsa_bits);
    const auto made = make(key.get(), wanted, "CA:FALSE");
    const certificate_files files{.chain = folder_.file(name + ".pem"),
                                  .key = folder_.file(name + ".key")};
    write_pem(files.chain, *made, nullptr);
    write_pem(files.key, *made, key.get());
    return files;
  }

 private:
  template <auto Free>
  struct freed {
    template <class Object>
    void operator()(Object* owned) const {
      Free(owned);
    }
  };
  using key_owner = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY_free>>;
  using x509_owner = std::unique_ptr<X509, freed<X509_free>>;

  static key_owner make_key(int rsa_bits) {
    key_owner key(rsa_bits == 0 ? EVP_EC_gen("P-256")
                                : EVP_RSA_gen(static_cast<unsigned>(rsa_bits)));
    require(key != nullptr, "no key");
    return key;
  }

  x509_owner make(EVP_PKEY* key, const certificate_request& wanted, const char* constraints) const {
    x509_owner made(X509_new());
    X509* const x = made.get();
    X509_set_version(x, X509_VERSION_3);
    const std::unique_ptr<BIGNUM, freed<BN_free>> serial(BN_new());
    BN_rand(serial.get(), 120, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(x));
    X509_gmtime_adj(X509_getm_notBefore(x), wanted.from_seconds);
    X509_gmtime_adj(X509_getm_notAfter(x), wanted.until_seconds);
    X509_set_pubkey(x, key);
    X509_NAME* const subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()),
                               -1, -1, 0);
    X509* const issuer = certificate_ ? certificate_.get() : x;
    X509_set_issuer_name(x, X509_get_subject_name(issuer));
    add(x, issuer, NID_basic_constraints, constraints);
    if (!wanted.alternatives.empty()) {
      add(x, issuer, NID_subject_alt_name, wanted.alternatives.c_str());
    }
    require(X509_sign(x, key_.get(), EVP_sha256()) > 0, "cannot sign");
    return made;
  }

  static void add(X509* to, X509* issuer, int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
    X509_EXTENSION* const made = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
    require(made != nullptr && X509_add_ext(to, made, -1) == 1, value);
    X509_EXTENSION_free(made);
  }

  static void write_pem(const std::string& path, X509& certificate, EVP_PKEY* key) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"),
                                                               &std::fclose);
    const bool written =
        file && (key ? PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr)
                     : PEM_write_X509(file.get(), &certificate)) == 1;
    require(written, path.c_str());
  }

  test_folder folder_;
  std::string path_;
  key_owner key_;
  x509_owner certificate_;
};

}  // namespace umcg::tls::testing
