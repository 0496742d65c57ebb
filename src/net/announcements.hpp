// SPDX-License-Identifier: MIT
#pragma once

// What proxies have announced of streams that are open, by the serials of these: beside the
// streams, which would all be larger for the few that came through a proxy.

#include <cstdint>
#include <optional>

#include "umcg/net/proxy_protocol.hpp"

namespace umcg::net {

// Any worker or thread may call these.
void keep_announcement(std::uint64_t serial, proxy_header header);
std::optional<proxy_header> find_announcement(std::uint64_t serial);
void forget_announcement(std::uint64_t serial) noexcept;

}  // namespace umcg::net
