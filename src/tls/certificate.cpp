// SPDX-License-Identifier: MIT

#include "tls/certificate.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/openssl_error.hpp"

namespace umcg::tls {
namespace {

using owned_response = std::unique_ptr<OCSP_RESPONSE, freed_by<OCSP_RESPONSE_free>>;
using owned_basic = std::unique_ptr<OCSP_BASICRESP, freed_by<OCSP_BASICRESP_free>>;
using owned_names = std::unique_ptr<GENERAL_NAMES, freed_by<GENERAL_NAMES_free>>;

constexpr std::size_t file_bytes_max = 1024 * 1024;

// Without it OpenSSL asks the terminal for the password of an encrypted key.
int no_password(char*, int, int, void*) { return -1; }

owned_bio reader_of(const std::string& text) {
  return owned_bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

problem failed(std::string what) { return {take_openssl_error(), std::move(what)}; }

void read_chain(const std::string& path, certificate& into, problem& wrong) {
  const std::string text = read_file(path, wrong);
  if (wrong) return;
  const owned_bio reader = reader_of(text);
  into.leaf.reset(PEM_read_bio_X509(reader.get(), nullptr, no_password, nullptr));
  into.chain.reset(sk_X509_new_null());
  if (!into.leaf || !into.chain) {
    wrong = failed(path + ": no certificate in PEM form");
    return;
  }
  while (X509* const next = PEM_read_bio_X509(reader.get(), nullptr, no_password, nullptr)) {
    sk_X509_push(into.chain.get(), next);
  }
  // The end of the file is an error like others.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    wrong = failed(path + ": a broken certificate in the chain");
    return;
  }
  ERR_clear_error();
}

void read_key(const certificate_files& files, certificate& into, problem& wrong) {
  const std::string text = read_file(files.key, wrong);
  if (wrong) return;
  const owned_bio reader = reader_of(text);
  into.key.reset(PEM_read_bio_PrivateKey(reader.get(), nullptr, no_password, nullptr));
  if (!into.key) {
    const bool encrypted = text.find("ENCRYPTED") != text.npos;
    wrong = failed(files.key + (encrypted ? ": the key is encrypted, which is not supported"
                                          : ": no private key in PEM form"));
  } else if (X509_check_private_key(into.leaf.get(), into.key.get()) != 1) {
    wrong = failed(files.key + " is not the key of the certificate in " + files.chain);
  }
}

std::chrono::system_clock::time_point to_time_point(const ASN1_TIME* when) {
  std::tm fields{};
  if (when == nullptr || ASN1_TIME_to_tm(when, &fields) != 1) {
    return std::chrono::system_clock::time_point::max();  // no nextUpdate: newer ones may come
  }
  return std::chrono::system_clock::from_time_t(::timegm(&fields));
}

// Whether somebody trusted has signed it is for the client to say.
void read_staple(const std::string& path, certificate& into, problem& wrong) {
  into.staple = read_file(path, wrong);
  if (wrong) return;
  const auto* at = reinterpret_cast<const unsigned char*>(into.staple.data());
  const owned_response response(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(into.staple.size())));
  const owned_basic basic(response ? OCSP_response_get1_basic(response.get()) : nullptr);
  OCSP_SINGLERESP* const first = basic ? OCSP_resp_get0(basic.get(), 0) : nullptr;
  if (!first) {
    wrong = failed(path + ": not an OCSP response in DER form that says anything");
    return;
  }
  ASN1_GENERALIZEDTIME* until = nullptr;
  OCSP_single_get0_status(first, nullptr, nullptr, nullptr, &until);
  into.staple_until = to_time_point(until);
}

}  // namespace

std::string read_file(const std::string& path, problem& wrong) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  std::string text(file ? file_bytes_max + 1 : 0, '\0');
  if (file) text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (!file || std::ferror(file.get()) != 0) {
    wrong = {{errno, std::generic_category()}, path + " cannot be read"};
  } else if (text.size() > file_bytes_max) {
    wrong = {std::make_error_code(std::errc::file_too_large), path + " cannot be read"};
  }
  return text;
}

certificate load_certificate(const certificate_files& files, problem& wrong) {
  drop_openssl_errors();
  certificate result;
  read_chain(files.chain, result, wrong);
  if (!wrong) read_key(files, result, wrong);
  if (!wrong && !files.ocsp_staple.empty()) read_staple(files.ocsp_staple, result, wrong);
  if (!wrong) result.names = alternative_names(result.leaf.get(), GEN_DNS);
  drop_openssl_errors();
  return result;
}

std::vector<std::string> alternative_names(const X509* of, int kind) {
  std::vector<std::string> found;
  const owned_names names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(of, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int type = 0;
    const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type != kind) continue;
    const auto* const text = static_cast<const ASN1_STRING*>(value);
    const std::string_view bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                 static_cast<std::size_t>(ASN1_STRING_length(text)));
    if (std::ranges::all_of(bytes, [](char c) { return c > ' ' && c <= '~'; })) {
      found.emplace_back(bytes);
    }
  }
  return found;
}

}  // namespace umcg::tls
