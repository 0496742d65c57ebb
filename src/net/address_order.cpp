// SPDX-License-Identifier: MIT
#include "net/address_order.hpp"

#include <algorithm>
#include <iterator>

namespace umcg::net {

std::vector<endpoint> alternating(std::span<const endpoint> sorted) {
  if (sorted.empty()) return {};
  const bool begins_with_v4 = sorted.front().address().is_v4();
  std::vector<endpoint> first;
  std::vector<endpoint> second;
  for (const endpoint& each : sorted) {
    (each.address().is_v4() == begins_with_v4 ? first : second).push_back(each);
  }
  std::vector<endpoint> order;
  for (std::size_t at = 0; at < std::max(first.size(), second.size()); ++at) {
    if (at < first.size()) order.push_back(first[at]);
    if (at < second.size()) order.push_back(second[at]);
  }
  return order;
}

}  // namespace umcg::net
