// SPDX-License-Identifier: MIT
#pragma once

// All addresses that begin with the same bits, such as those of a network: 10.0.0.0/8.

#include <string_view>
#include <system_error>

#include <asio/ip/address.hpp>

namespace umcg::net {

class address_range {
 public:
  // Contains nothing.
  address_range() noexcept = default;
  // The first `prefix_bits` bits count, at most 32 or 128.
  address_range(const asio::ip::address& first, unsigned prefix_bits) noexcept;

  // IPv4 addresses that are mapped into IPv6, as an IPv6 listener sees them, are IPv4 addresses.
  bool contains(const asio::ip::address& address) const noexcept;

 private:
  asio::ip::address first_;
  unsigned prefix_bits_ = 0;
  bool empty_ = true;
};

// Reads "10.0.0.0/8", "2001:db8::/32" and "192.0.2.1", which is that address alone. Errors:
// invalid_argument, also where bits behind the prefix are set.
address_range parse_address_range(std::string_view text);
address_range parse_address_range(std::string_view text, std::error_code& error);

}  // namespace umcg::net
