// SPDX-License-Identifier: MIT

#include "httpd/proxy_settings.hpp"

namespace httpd {

std::optional<umcg::net::proxy_protocol> to_proxy_protocol(const proxy_settings& settings) {
  if (settings.trusted.empty()) return std::nullopt;
  umcg::net::proxy_protocol protocol{.others_pass = settings.others == "pass",
                                     .header_duration = settings.header_duration};
  for (const std::string& each : settings.trusted) {
    protocol.trusted.push_back(umcg::net::parse_address_range(each));
  }
  return protocol;
}

}  // namespace httpd
