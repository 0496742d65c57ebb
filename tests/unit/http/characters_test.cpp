// SPDX-License-Identifier: MIT

#include "http/characters.hpp"

#include <iostream>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "unit/http/guarded_bytes.hpp"

namespace umcg::http::characters {
namespace {

std::string all_of(kind wanted) {
  std::string bytes;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (is(static_cast<char>(byte), wanted)) bytes += static_cast<char>(byte);
  }
  return bytes;
}

TEST(characters, tokens_are_those_of_rfc9110_5_6_2) {
  EXPECT_EQ(all_of(token),
            "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~");
}

TEST(characters, field_values_are_those_of_rfc9110_5_5) {
  const std::string bytes = all_of(field_value);
  EXPECT_EQ(bytes.size(), 1U + 95U + 128U);
  EXPECT_EQ(bytes[0], '\t');
  EXPECT_EQ(bytes[1], ' ');
  EXPECT_EQ(bytes.find('\x7f'), bytes.npos);
}

TEST(characters, targets_are_visible_ascii) {
  EXPECT_EQ(all_of(query).size(), 94U - 1U);
  EXPECT_EQ(all_of(path).size(), 94U - 3U);
  EXPECT_EQ(all_of(host_name).size(), 10U + 52U + 15U);
  EXPECT_EQ(all_of(hexadecimal), "0123456789ABCDEFabcdef");
}

// Each byte at each place of a block, behind each distance from the guard.
TEST(characters, fast_scans_find_what_the_table_finds) {
  testing::guarded_bytes memory(4096);
  for (std::size_t size = 0; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (unsigned byte = 0; byte < 256; ++byte) {
        std::string text(size, 'v');
        text[at] = static_cast<char>(byte);
        const std::string_view held = memory.hold(text);
        const char* const end = held.data() + held.size();
        const char* const expected = skip(held.data(), end, field_value);
        ASSERT_EQ(skip_field_value(held.data(), end), expected) << byte << " at " << at;
        ASSERT_EQ(skip_field_value_portable(held.data(), end), expected) << byte << " at " << at;
      }
    }
  }
}

TEST(characters, fast_scans_find_what_the_table_finds_in_noise) {
  const unsigned seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  std::mt19937 random(seed);
  testing::guarded_bytes memory(4096);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 80, '\0');
    // Mostly bytes at the edges of what is allowed.
    for (char& c : text) c = "\x1f\x20\t\x7e\x7f\x80\xffvvvvvvvvvv"[random() % 17];
    const std::string_view held = memory.hold(text);
    const char* const end = held.data() + held.size();
    const char* const expected = skip(held.data(), end, field_value);
    ASSERT_EQ(skip_field_value(held.data(), end), expected);
    ASSERT_EQ(skip_field_value_portable(held.data(), end), expected);
  }
}

}  // namespace
}  // namespace umcg::http::characters
