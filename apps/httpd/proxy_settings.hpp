// SPDX-License-Identifier: MIT
#pragma once

// The [proxy] table of the configuration.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "umcg/net/proxy_protocol.hpp"

namespace httpd {

struct proxy_settings {
  std::vector<std::string> trusted =
      {};  // as net::parse_address_range() reads them; none: no proxy
  std::string others = "refuse";
  std::chrono::milliseconds header_duration = umcg::net::proxy_protocol{}.header_duration;
};

// Empty: connections come straight from their clients.
std::optional<umcg::net::proxy_protocol> to_proxy_protocol(const proxy_settings& settings);

}  // namespace httpd
