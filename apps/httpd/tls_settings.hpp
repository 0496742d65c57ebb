// SPDX-License-Identifier: MIT
#pragma once

// The [tls] table of the configuration.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "umcg/tls/context.hpp"

namespace httpd {

// Files in the same place of the three lists belong together.
struct tls_settings {
  std::vector<std::string> certificate = {};  // none: no TLS
  std::vector<std::string> key = {};
  std::vector<std::string> ocsp_staple = {};
  std::string client_ca = {};
  std::string client_certificates = "none";
  std::string version_min = "1.2";
  std::string session_tickets = "on";
  unsigned session_cache_entries = 10'000;
  std::chrono::milliseconds session_duration = std::chrono::hours(2);

  std::string where = {};  // the table's place, "conf/httpd.toml:12"; empty: no file
};

// Reads the files. Empty: no TLS is asked for. Errors: std::system_error, whose text begins with
// the place and names the file and what is wrong with it.
std::optional<umcg::tls::server_context> load_tls(const tls_settings& settings);

}  // namespace httpd
