// SPDX-License-Identifier: MIT

#include "tls/name_index.hpp"

#include <algorithm>
#include <cctype>

namespace umcg::tls {
namespace {

constexpr std::size_t name_bytes_max = 253;
constexpr std::size_t label_bytes_max = 63;

bool is_label_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_label(std::string_view label) noexcept {
  return !label.empty() && label.size() <= label_bytes_max &&
         std::ranges::all_of(label, is_label_byte);
}

// In small letters and without the dot at the end; empty: not a DNS name.
std::string normal(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > name_bytes_max) return {};
  std::string result(name);
  std::ranges::transform(result, result.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  });
  for (std::string_view rest = result;;) {
    const std::size_t dot = rest.find('.');
    if (!is_label(rest.substr(0, dot))) return {};
    if (dot == rest.npos) return result;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace

// A wildcard for a whole top-level domain would be for everybody's names.
void name_index::add(std::string_view name, std::size_t number) {
  const bool wildcard = name.starts_with("*.");
  if (wildcard) name.remove_prefix(2);
  const std::string key = normal(name);
  if (key.empty() || (wildcard && key.find('.') == key.npos)) return;
  auto& numbers = wildcard ? below_['.' + key] : exact_[key];
  if (numbers.empty() || numbers.back() != number) numbers.push_back(number);
}

std::span<const std::size_t> name_index::find(std::string_view name) const {
  const std::string key = normal(name);
  if (const auto found = exact_.find(key); found != exact_.end()) return found->second;
  const std::size_t dot = key.find('.');
  if (dot == key.npos) return {};
  if (const auto found = below_.find(key.substr(dot)); found != below_.end()) return found->second;
  return {};
}

}  // namespace umcg::tls
