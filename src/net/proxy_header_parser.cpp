// SPDX-License-Identifier: MIT
// Clauses of proxy-protocol.txt: 2.1 is the line of version 1, 2.2 the block of version 2.
#include "net/proxy_header_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include <asio/ip/address.hpp>

namespace umcg::net {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view line_start = "PROXY "sv;
constexpr std::string_view signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t fixed_bytes = 16;

constexpr header_result invalid = {header_outcome::invalid, 0};
constexpr header_result incomplete = {header_outcome::incomplete, 0};

header_result complete(std::size_t consumed) { return {header_outcome::complete, consumed}; }

// Whether `bytes` could begin with `start`, as far as they go.
bool may_begin_with(std::string_view bytes, std::string_view start) {
  return bytes.substr(0, start.size()) == start.substr(0, bytes.size());
}

// --- version 1 ---

// The next word of the line, which ends at exactly one space or at the end.
std::string_view next_word(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == line.npos ? line.size() : space + 1);
  return word;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || rest != end) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return port;
}

std::optional<asio::ip::address> parse_address(std::string_view text, bool v4) {
  // Asio knows zones too, and takes text to end at a NUL.
  if (text.find_first_not_of("0123456789abcdefABCDEF:.") != text.npos) return std::nullopt;
  std::error_code error;
  const auto address = asio::ip::make_address(std::string(text), error);
  if (error || address.is_v4() != v4) return std::nullopt;
  return address;
}

bool parse_endpoints(std::string_view words, bool v4, proxy_header& into) {
  const bool four_words = std::ranges::count(words, ' ') == 3;
  const auto source = parse_address(next_word(words), v4);
  const auto destination = parse_address(next_word(words), v4);
  const auto source_port = parse_port(next_word(words));
  const auto destination_port = parse_port(words);
  if (!four_words || !source || !destination || !source_port || !destination_port) return false;
  into.source.emplace(*source, *source_port);
  into.destination.emplace(*destination, *destination_port);
  return true;
}

// `line` has neither its first word nor its end.
bool parse_line(std::string_view line, proxy_header& into) {
  const bool has_more = line.find(' ') != line.npos;
  const std::string_view protocol = next_word(line);
  if (protocol == "UNKNOWN") return true;
  if (!has_more || (protocol != "TCP4" && protocol != "TCP6")) return false;
  return parse_endpoints(line, protocol == "TCP4", into);
}

header_result parse_version_1(std::string_view bytes, proxy_header& into) {
  const std::string_view head = bytes.substr(0, proxy_line_bytes_max);
  const std::size_t end = head.find_first_of("\r\n");
  const bool too_long = head.size() == proxy_line_bytes_max;
  if (end == head.npos) return too_long ? invalid : incomplete;
  // A single CR or LF ends no line.
  if (head[end] == '\n') return invalid;
  if (end + 1 == head.size()) return too_long ? invalid : incomplete;
  if (head[end + 1] != '\n') return invalid;
  into.version = 1;
  const std::string_view line = head.substr(line_start.size(), end - line_start.size());
  return parse_line(line, into) ? complete(end + 2) : invalid;
}

// --- version 2 ---

unsigned byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]);
}

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

// Calls `visit(type, offset, size)` with where each value is. False: they are malformed.
template <class Visit>
bool for_each_vector(std::string_view vectors, Visit visit) {
  for (std::size_t at = 0; at < vectors.size();) {
    if (vectors.size() - at < 3) return false;
    const std::size_t size = number_at(vectors, at + 1);
    if (vectors.size() - at - 3 < size) return false;
    visit(byte_at(vectors, at), at + 3, size);
    at += 3 + size;
  }
  return true;
}

// CRC32c (RFC 4960, Appendix B) of all bytes, those of the checksum itself taken for zeros.
std::uint32_t checksum(std::string_view bytes, std::size_t own_offset) {
  std::uint32_t sum = UINT32_MAX;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    sum ^= at - own_offset < 4 ? 0 : byte_at(bytes, at);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? 0x82F63B78U : 0);
  }
  return ~sum;
}

// `header` is all of it; the vectors begin at `begin`.
bool check_vectors(std::string_view header, std::size_t begin) {
  bool right = true;
  const bool formed = for_each_vector(
      header.substr(begin), [&](unsigned type, std::size_t offset, std::size_t size) {
        if (type != static_cast<unsigned>(proxy_header::vector_type::crc32c)) return;
        const std::size_t at = begin + offset;
        right = right && size == 4 &&
                checksum(header, at) ==
                    (std::uint32_t{number_at(header, at)} << 16 | number_at(header, at + 2));
      });
  return formed && right;
}

template <class Address>
endpoint endpoint_at(std::string_view block, std::size_t address_at, std::size_t port_at) {
  typename Address::bytes_type bytes;
  std::ranges::transform(block.substr(address_at, bytes.size()), bytes.begin(),
                         [](char each) { return static_cast<unsigned char>(each); });
  return {Address(bytes), number_at(block, port_at)};
}

template <class Address>
void read_endpoints(std::string_view block, proxy_header& into) {
  constexpr std::size_t size = std::tuple_size_v<typename Address::bytes_type>;
  into.source = endpoint_at<Address>(block, 0, 2 * size);
  into.destination = endpoint_at<Address>(block, size, 2 * size + 2);
}

constexpr std::array<std::size_t, 4> address_block_sizes = {0, 12, 36, 216};

// A header that is there as a whole, of the command PROXY.
bool parse_block(std::string_view header, proxy_header& into) {
  const std::string_view block = header.substr(fixed_bytes);
  const unsigned family = byte_at(header, 13) >> 4;
  const unsigned transport = byte_at(header, 13) & 15;
  if (family >= address_block_sizes.size() || transport > 2) return false;
  const std::size_t addresses = address_block_sizes[family];
  if (block.size() < addresses) return false;
  const bool stream = transport == 1;
  if (family == 1 && stream) read_endpoints<asio::ip::address_v4>(block, into);
  if (family == 2 && stream) read_endpoints<asio::ip::address_v6>(block, into);
  if (!check_vectors(header, fixed_bytes + addresses)) return false;
  into.vectors = block.substr(addresses);
  return true;
}

header_result parse_version_2(std::string_view bytes, proxy_header& into) {
  if (bytes.size() <= signature.size()) return incomplete;
  const unsigned version_and_command = byte_at(bytes, 12);
  if (version_and_command != 0x20 && version_and_command != 0x21) return invalid;
  if (bytes.size() < fixed_bytes) return incomplete;
  const std::size_t block_size = number_at(bytes, 14);
  if (block_size > proxy_header::block_bytes_max) return invalid;
  const std::size_t size = fixed_bytes + block_size;
  if (bytes.size() < size) return incomplete;
  into.version = 2;
  into.local = version_and_command == 0x20;
  if (!into.local && !parse_block(bytes.substr(0, size), into)) return invalid;
  return complete(size);
}

}  // namespace

header_result parse_proxy_header(std::string_view bytes, proxy_header& into) {
  proxy_header read;
  header_result result = invalid;
  if (may_begin_with(bytes, signature)) {
    result = parse_version_2(bytes, read);
  } else if (may_begin_with(bytes, line_start)) {
    result = parse_version_1(bytes, read);
  }
  if (result.outcome == header_outcome::complete) into = std::move(read);
  return result;
}

std::optional<std::string_view> proxy_header::find(vector_type wanted) const noexcept {
  std::optional<std::string_view> found;
  for_each_vector(vectors, [&](unsigned type, std::size_t offset, std::size_t size) {
    if (!found && type == static_cast<unsigned>(wanted)) {
      found = std::string_view(vectors).substr(offset, size);
    }
  });
  return found;
}

}  // namespace umcg::net
