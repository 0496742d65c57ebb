// SPDX-License-Identifier: MIT
#pragma once

// In which order addresses are tried.

#include <span>
#include <vector>

#include "umcg/net/endpoint.hpp"

namespace umcg::net {

// The same, each family in its order, by turns; that of the first one begins (RFC 8305, 4).
std::vector<endpoint> alternating(std::span<const endpoint> sorted);

}  // namespace umcg::net
