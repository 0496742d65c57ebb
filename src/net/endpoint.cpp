// SPDX-License-Identifier: MIT

#include "umcg/net/endpoint.hpp"

#include <net/if.h>

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>

#include <asio/error.hpp>

namespace umcg::net {
namespace {

// All of `text` as a decimal number, without sign or spaces.
template <std::unsigned_integral Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

// Asio parses addresses as C strings, so a NUL would hide what follows it.
bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

std::optional<asio::ip::address> parse_ipv4(std::string_view text) {
  std::error_code error;
  const auto address = asio::ip::make_address_v4(text, error);
  if (error || has_nul(text)) return std::nullopt;
  return address;
}

// 0, which means no zone, is not one.
std::optional<std::uint32_t> parse_zone(std::string_view text) {
  if (has_nul(text)) return std::nullopt;
  auto zone = parse_number<std::uint32_t>(text);
  if (!zone) zone = ::if_nametoindex(std::string(text).c_str());
  if (*zone == 0) return std::nullopt;
  return zone;
}

// Asio would take an unknown zone for zone 0; here it is an error.
std::optional<asio::ip::address> parse_ipv6(std::string_view text) {
  const std::string_view digits = text.substr(0, text.find('%'));
  std::error_code error;
  auto address = asio::ip::make_address_v6(digits, error);
  if (error || has_nul(digits)) return std::nullopt;
  if (digits.size() < text.size()) {
    const auto zone = parse_zone(text.substr(digits.size() + 1));
    if (!zone) return std::nullopt;
    address.scope_id(*zone);
  }
  return address;
}

std::optional<asio::ip::address> parse_host(std::string_view host) {
  if (host.empty()) return asio::ip::address_v6::any();
  if (host.front() == '[' && host.back() == ']') {
    return parse_ipv6(host.substr(1, host.size() - 2));
  }
  return parse_ipv4(host);
}

constexpr const char* what_is_accepted =
    "an address and a port, such as 127.0.0.1:8080, [::1]:8080 or :8080 (every address); "
    "names are not resolved";

}  // namespace

endpoint parse_endpoint(std::string_view text, std::error_code& error) {
  error = asio::error::invalid_argument;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
  if (!port) return {};
  const auto host = parse_host(text.substr(0, colon));
  if (!host) return {};
  error.clear();
  return {*host, *port};
}

endpoint parse_endpoint(std::string_view text) {
  std::error_code error;
  endpoint where = parse_endpoint(text, error);
  if (error) {
    throw std::system_error(error, '"' + std::string(text) + "\" is not " + what_is_accepted);
  }
  return where;
}

std::string to_string(const endpoint& where) {
  const std::string port = ':' + std::to_string(where.port());
  if (where.address().is_v4()) return where.address().to_string() + port;
  asio::ip::address_v6 address = where.address().to_v6();
  const auto zone = address.scope_id();
  address.scope_id(0);
  return '[' + address.to_string() + (zone == 0 ? "" : '%' + std::to_string(zone)) + ']' + port;
}

}  // namespace umcg::net
