// SPDX-License-Identifier: MIT

#include "httpd/tls_settings.hpp"

#include <algorithm>
#include <system_error>

namespace httpd {
namespace {

namespace tls = umcg::tls;

[[noreturn]] void refuse(const tls_settings& settings, const std::error_code& code,
                         const std::string& what) {
  const std::string place = settings.where.empty() ? "umcg-httpd" : settings.where;
  throw std::system_error(code, place + ": tls: " + what);
}

std::string counted(std::size_t number, const char* thing) {
  return std::to_string(number) + ' ' + thing + (number == 1 ? "" : "s");
}

std::vector<tls::certificate_files> certificates_of(const tls_settings& settings) {
  const std::size_t count = settings.certificate.size();
  const auto invalid = std::make_error_code(std::errc::invalid_argument);
  if (settings.key.size() != count) {
    refuse(settings, invalid,
           counted(settings.key.size(), "key") + " for " + counted(count, "certificate"));
  }
  if (settings.ocsp_staple.size() > count) {
    refuse(settings, invalid,
           counted(settings.ocsp_staple.size(), "OCSP staple") + " for " +
               counted(count, "certificate"));
  }
  std::vector<tls::certificate_files> files;
  for (std::size_t i = 0; i < count; ++i) {
    files.push_back({.chain = settings.certificate[i], .key = settings.key[i]});
    if (i < settings.ocsp_staple.size()) files[i].ocsp_staple = settings.ocsp_staple[i];
  }
  return files;
}

tls::client_certificates clients_of(const std::string& word) {
  if (word == "request") return tls::client_certificates::request;
  if (word == "require") return tls::client_certificates::require;
  return tls::client_certificates::none;
}

// OpenSSL counts in seconds, and has its own idea of 0.
std::chrono::seconds whole_seconds(std::chrono::milliseconds duration) {
  constexpr std::chrono::seconds longest = std::chrono::hours(24);
  if (duration > longest) return longest;
  return std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(duration));
}

}  // namespace

std::optional<tls::server_context> load_tls(const tls_settings& settings) {
  const tls::server_options options{
      .certificates = certificates_of(settings),
      .alpn = {"http/1.1", "http/1.0"},
      .version_min = settings.version_min == "1.3" ? tls::version::tls_1_3 : tls::version::tls_1_2,
      .clients = clients_of(settings.client_certificates),
      .client_ca = settings.client_ca,
      .session_duration = whole_seconds(settings.session_duration),
      .session_tickets = settings.session_tickets == "on",
      .session_cache_entries = settings.session_cache_entries};
  if (options.certificates.empty()) return std::nullopt;
  try {
    return tls::server_context::load(options);
  } catch (const std::system_error& failure) {
    const std::string what = failure.what();
    refuse(settings, failure.code(), what.substr(0, what.rfind(": ")));
  }
}

}  // namespace httpd
