// SPDX-License-Identifier: MIT
#pragma once

// Durations and sizes as people write them in a configuration: a whole number and its unit, without
// a space. "250ms", "10s", "5min", "24h"; "512B", "32KiB", "1MiB", "1GiB".

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace httpd {

// Also "never", which is milliseconds::max(): no deadline. Nothing if `text` is not a duration; one
// that does not fit is 2^62 ms.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// In bytes. Nothing if `text` is not a size; one that does not fit is 2^62.
std::optional<std::uint64_t> parse_size(std::string_view text);

// In the largest unit that leaves a whole number: "1min", not "60s". Their parse functions read
// them back.
std::string to_text(std::chrono::milliseconds duration);
std::string size_to_text(std::uint64_t bytes);

}  // namespace httpd
