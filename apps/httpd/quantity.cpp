// SPDX-License-Identifier: MIT

#include "httpd/quantity.hpp"

#include <charconv>
#include <span>

namespace httpd {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

// Smallest first.
constexpr unit durations[] = {{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}};
constexpr unit sizes[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", std::uint64_t{1} << 30}};

constexpr std::string_view never_text = "never";
// Larger than any limit, and still a duration.
constexpr std::uint64_t too_large = std::uint64_t{1} << 62;

std::optional<std::uint64_t> parse_quantity(std::string_view text, std::span<const unit> units) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::invalid_argument) return std::nullopt;
  for (const unit& each : units) {
    if (each.name != std::string_view(rest, static_cast<std::size_t>(end - rest))) continue;
    const bool fits = error == std::errc() && number < too_large / each.factor;
    return fits ? number * each.factor : too_large;
  }
  return std::nullopt;
}

std::string quantity_to_text(std::uint64_t quantity, std::span<const unit> units) {
  const unit* largest = &units.front();
  for (const unit& each : units) {
    if (quantity != 0 && quantity % each.factor == 0) largest = &each;
  }
  return std::to_string(quantity / largest->factor).append(largest->name);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (text == never_text) return std::chrono::milliseconds::max();
  const auto number = parse_quantity(text, durations);
  if (!number) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(*number));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_quantity(text, sizes);
}

std::string to_text(std::chrono::milliseconds duration) {
  if (duration == std::chrono::milliseconds::max()) return std::string(never_text);
  return quantity_to_text(static_cast<std::uint64_t>(duration.count()), durations);
}

std::string size_to_text(std::uint64_t bytes) { return quantity_to_text(bytes, sizes); }

}  // namespace httpd
