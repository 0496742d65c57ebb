// SPDX-License-Identifier: MIT

#include "httpd/quantity.hpp"

#include <chrono>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace httpd {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t too_large = std::uint64_t{1} << 62;

TEST(quantity, has_a_number_and_a_unit) {
  EXPECT_EQ(parse_duration("0ms"), 0ms);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("5min"), 5min);
  EXPECT_EQ(parse_duration("24h"), 24h);
  EXPECT_EQ(parse_size("0B"), 0);
  EXPECT_EQ(parse_size("512B"), 512);
  EXPECT_EQ(parse_size("32KiB"), 32 * 1024);
  EXPECT_EQ(parse_size("1MiB"), 1024 * 1024);
  EXPECT_EQ(parse_size("3GiB"), std::uint64_t{3} * 1024 * 1024 * 1024);
}

TEST(quantity, may_be_never_if_it_is_a_duration) {
  EXPECT_EQ(parse_duration("never"), std::chrono::milliseconds::max());
  EXPECT_EQ(to_text(std::chrono::milliseconds::max()), "never");
  EXPECT_EQ(parse_size("never"), std::nullopt);
}

TEST(quantity, is_nothing_else) {
  for (const char* text : {"", " ", "10", "s", "ms", "10 s", " 10s", "10s ", "-1s", "+1s", "1.5s",
                           "0x10s", "1e3s", "10S", "10sec", "10m", "1s1s", "Never", "10B"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << '"' << text << '"';
  }
  EXPECT_EQ(parse_duration(std::string("1s\0", 3)), std::nullopt);
  for (const char* text :
       {"", "1", "B", "1b", "1K", "1KB", "1kiB", "1 KiB", "1.5KiB", "-1B", "1TiB", "1s"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << '"' << text << '"';
  }
}

TEST(quantity, does_not_wrap_around) {
  for (const char* text : {"18446744073709551616B", "18446744073709551615B", "4294967296GiB",
                           "17179869184GiB", "99999999999999999999999999999999GiB"}) {
    EXPECT_EQ(parse_size(text), too_large) << text;
  }
  EXPECT_EQ(parse_duration("9223372036854775807ms")->count(), too_large);
  EXPECT_EQ(parse_duration("5124095576030431h")->count(), too_large);
}

TEST(quantity, is_shown_in_its_largest_unit_and_read_back) {
  EXPECT_EQ(to_text(0ms), "0ms");
  EXPECT_EQ(to_text(1ms), "1ms");
  EXPECT_EQ(to_text(1001ms), "1001ms");
  EXPECT_EQ(to_text(90s), "90s");
  EXPECT_EQ(to_text(120s), "2min");
  EXPECT_EQ(to_text(24h), "24h");
  EXPECT_EQ(size_to_text(0), "0B");
  EXPECT_EQ(size_to_text(1025), "1025B");
  EXPECT_EQ(size_to_text(32 * 1024), "32KiB");
  EXPECT_EQ(size_to_text(std::uint64_t{1} << 31), "2GiB");
  for (std::uint64_t number = 1; number < too_large / 3; number *= 3) {
    const std::chrono::milliseconds duration(number);
    EXPECT_EQ(parse_size(size_to_text(number)), number);
    EXPECT_EQ(parse_duration(to_text(duration)), duration);
  }
}

}  // namespace
}  // namespace httpd
