// SPDX-License-Identifier: MIT
#include "umcg/net/address_range.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include <asio/error.hpp>

namespace umcg::net {
namespace {

using address_bytes = std::array<unsigned char, 16>;

asio::ip::address unmapped(const asio::ip::address& address) noexcept {
  if (address.is_v4() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

unsigned bits_of(const asio::ip::address& address) noexcept { return address.is_v4() ? 32 : 128; }

address_bytes bytes_of(const asio::ip::address& address) noexcept {
  if (!address.is_v4()) return address.to_v6().to_bytes();
  address_bytes bytes{};
  std::ranges::copy(address.to_v4().to_bytes(), bytes.begin());
  return bytes;
}

// The first `count` bits, and zeros behind them.
address_bytes prefix_of(const asio::ip::address& address, unsigned count) noexcept {
  address_bytes bytes = bytes_of(address);
  for (unsigned at = 0; at < bytes.size(); ++at) {
    const unsigned left = count > 8 * at ? std::min(count - 8 * at, 8U) : 0;
    bytes[at] = static_cast<unsigned char>(bytes[at] & (0xFF00U >> left));
  }
  return bytes;
}

}  // namespace

address_range::address_range(const asio::ip::address& first, unsigned prefix_bits) noexcept
    : first_(first), prefix_bits_(std::min(prefix_bits, bits_of(first))), empty_(false) {}

bool address_range::contains(const asio::ip::address& address) const noexcept {
  const asio::ip::address plain = unmapped(address);
  if (empty_ || plain.is_v4() != first_.is_v4()) return false;
  return prefix_of(plain, prefix_bits_) == prefix_of(first_, prefix_bits_);
}

address_range parse_address_range(std::string_view text, std::error_code& error) {
  error = asio::error::invalid_argument;
  const std::size_t slash = text.find('/');
  const std::string_view digits = text.substr(0, slash);
  if (digits.find_first_not_of("0123456789abcdefABCDEF:.") != digits.npos) return {};
  std::error_code malformed;
  const auto first = asio::ip::make_address(std::string(digits), malformed);
  if (malformed) return {};
  unsigned bits = bits_of(first);
  if (slash != text.npos) {
    const std::string_view number = text.substr(slash + 1);
    const auto [rest, problem] =
        std::from_chars(number.data(), number.data() + number.size(), bits);
    if (problem != std::errc() || rest != number.data() + number.size()) return {};
  }
  if (bits > bits_of(first) || prefix_of(first, bits) != bytes_of(first)) return {};
  error.clear();
  return {first, bits};
}

address_range parse_address_range(std::string_view text) {
  std::error_code error;
  address_range range = parse_address_range(text, error);
  if (error) {
    throw std::system_error(
        error, '"' + std::string(text) + "\" is not a range of addresses, such as 10.0.0.0/8");
  }
  return range;
}

}  // namespace umcg::net
