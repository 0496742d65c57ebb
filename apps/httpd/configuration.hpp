// SPDX-License-Identifier: MIT
#pragma once

// How umcg-httpd is configured: the settings with their defaults, and the TOML file they are read
// from. conf/httpd.toml is such a file, with every key explained.

#include <string>
#include <string_view>
#include <vector>

#include "httpd/proxy_settings.hpp"
#include "httpd/tls_settings.hpp"
#include "umcg/http/service.hpp"

namespace httpd {

struct configuration {
  std::string listen = "127.0.0.1:8080";
  umcg::http::service_options service = {};
  tls_settings tls = {};
  proxy_settings proxy = {};
};

// Takes what the file at `path` sets and leaves the rest of `into` alone. Returns everything that
// is wrong, in the order of the file's lines, each as one line for people,
//   conf/httpd.toml:12: limits.header_size: "12B" is out of range (256B to 1MiB, such as "64KiB")
// and nothing if all is well. After a line that is not TOML the rest is not looked at. Keys that
// are right are taken even if others are not.
std::vector<std::string> read_configuration(const std::string& path, configuration& into);

// The same for a file's text; `path` is for the messages.
std::vector<std::string> parse_configuration(std::string_view text, const std::string& path,
                                             configuration& into);

// All keys with their values, a file that parse_configuration() reads back.
std::string to_toml(const configuration& settings);

}  // namespace httpd
