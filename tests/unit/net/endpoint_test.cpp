// SPDX-License-Identifier: MIT

// Endpoints as text: what is accepted, what is not, and that writing and reading agree.

#include "umcg/net/endpoint.hpp"

#include <net/if.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace umcg::net {
namespace {

struct good_case {
  std::string_view text;
  std::string_view address;  // as Asio writes it, without a zone
  std::uint16_t port;
  unsigned long zone;
  std::string_view again;  // as to_string() writes it
};

const good_case good_cases[] = {
    {"127.0.0.1:8080", "127.0.0.1", 8080, 0, "127.0.0.1:8080"},
    {"0.0.0.0:0", "0.0.0.0", 0, 0, "0.0.0.0:0"},
    {"255.255.255.255:65535", "255.255.255.255", 65535, 0, "255.255.255.255:65535"},
    {"10.1.2.3:080", "10.1.2.3", 80, 0, "10.1.2.3:80"},
    {":8080", "::", 8080, 0, "[::]:8080"},
    {":0", "::", 0, 0, "[::]:0"},
    {"[::]:1", "::", 1, 0, "[::]:1"},
    {"[::1]:8080", "::1", 8080, 0, "[::1]:8080"},
    {"[2001:DB8:0:0:0:0:0:1]:443", "2001:db8::1", 443, 0, "[2001:db8::1]:443"},
    {"[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1", 80, 0, "[::ffff:192.0.2.1]:80"},
    {"[fe80::1%7]:80", "fe80::1", 80, 7, "[fe80::1%7]:80"},
    {"[fe80::1%4294967295]:80", "fe80::1", 80, 4294967295u, "[fe80::1%4294967295]:80"},
    {"[2001:db8::1%3]:80", "2001:db8::1", 80, 3, "[2001:db8::1%3]:80"},
};

TEST(Endpoint, ReadsGoodText) {
  for (const good_case& expected : good_cases) {
    SCOPED_TRACE(expected.text);
    std::error_code error = std::make_error_code(std::errc::io_error);
    const endpoint where = parse_endpoint(expected.text, error);
    ASSERT_FALSE(error) << error.message();
    EXPECT_EQ(where.port(), expected.port);
    EXPECT_EQ(to_string(where), expected.again);
    if (where.address().is_v4()) {
      EXPECT_EQ(where.address().to_string(), expected.address);
    } else {
      asio::ip::address_v6 address = where.address().to_v6();
      EXPECT_EQ(address.scope_id(), expected.zone);
      address.scope_id(0);
      EXPECT_EQ(address.to_string(), expected.address);
    }
    EXPECT_EQ(parse_endpoint(expected.text), where);
    EXPECT_EQ(parse_endpoint(to_string(where)), where);
  }
}

using namespace std::string_view_literals;

const std::string_view bad_cases[] = {
    "",
    ":",
    "8080",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:4294967376",
    "127.0.0.1:-1",
    "127.0.0.1:+80",
    "127.0.0.1: 80",
    "127.0.0.1:80 ",
    "127.0.0.1:0x50",
    "127.0.0.1:80a",
    "127.0.0.1:http",
    " 127.0.0.1:80",
    "127.0.0.1 :80",
    "127.0.0:80",
    "127.0.0.1.1:80",
    "127.0.0.256:80",
    "0127.0.0.1:80",
    "2130706433:80",
    "localhost:80",
    "*:80",
    "::1:80",
    "::1",
    "fe80::1%lo:80",
    "[::1]",
    "[::1]80",
    "[::1]:",
    "[::1]:65536",
    "[::1:80",
    "::1]:80",
    "[]:80",
    "[:80",
    "]:80",
    "[127.0.0.1]:80",
    "[[::1]]:80",
    "[::1]x:80",
    "x[::1]:80",
    "[::1 ]:80",
    "[::12345]:80",
    "[1:2:3:4:5:6:7:8:9]:80",
    "[fe80::1%]:80",
    "[fe80::1%0]:80",
    "[fe80::1%4294967296]:80",
    "[fe80::1%-1]:80",
    "[fe80::1%no-such-interface]:80",
    "[%1]:80",
    "127.0.0.1%1:80",
    "127.0.0.1\0:80"sv,
    "127.0.0.1\0.example:80"sv,
    "127.0.0.1:80\0"sv,
    "127.0.0.1:80\0junk"sv,
    "[::1\0]:80"sv,
    "[::1\0%1]:80"sv,
    "[fe80::1%lo\0x]:80"sv,
    "\0:80"sv,
    "127.0.0.1:80\n",
    "127.0.0.1:80:80",
};

TEST(Endpoint, RefusesBadText) {
  for (const std::string_view text : bad_cases) {
    SCOPED_TRACE(text);
    std::error_code error;
    EXPECT_EQ(parse_endpoint(text, error), endpoint());
    EXPECT_EQ(error, asio::error::invalid_argument);
  }
}

TEST(Endpoint, ExceptionSaysWhatIsAccepted) {
  try {
    parse_endpoint("localhost:80");
    FAIL() << "a name was accepted";
  } catch (const asio::system_error& failure) {
    const std::string what = failure.what();
    EXPECT_EQ(failure.code(), asio::error::invalid_argument);
    for (const char* part : {"\"localhost:80\"", "127.0.0.1:8080", "[::1]:8080", ":8080"}) {
      EXPECT_NE(what.find(part), std::string::npos) << what;
    }
  }
}

TEST(Endpoint, ZoneMayBeAnInterfaceName) {
  char name[IF_NAMESIZE];
  if (::if_indextoname(1, name) == nullptr) GTEST_SKIP() << "no interface has index 1";
  const endpoint where = parse_endpoint(std::string("[fe80::1%") + name + "]:80");
  EXPECT_EQ(where.address().to_v6().scope_id(), 1u);
  EXPECT_EQ(to_string(where), "[fe80::1%1]:80");
}

// Without zeros and without the colons that shorten runs of them.
std::string without_zeros(std::string text) {
  std::erase_if(text, [](char letter) { return letter == '0'; });
  while (text.find("::") != std::string::npos) text.erase(text.find("::"), 1);
  return text;
}

class RandomEndpoint : public testing::Test {
 protected:
  void SetUp() override { std::cout << "seed " << seed_ << '\n'; }

  unsigned below(unsigned limit) { return std::uniform_int_distribution(0u, limit - 1)(random_); }

  endpoint any_endpoint() {
    const auto port = static_cast<std::uint16_t>(below(65536));
    if (below(2) == 0) return {asio::ip::address_v4(static_cast<std::uint32_t>(random_())), port};
    asio::ip::address_v6::bytes_type bytes{};
    // Runs of zeros are what the text form of IPv6 shortens.
    for (auto& byte : bytes) byte = static_cast<unsigned char>(below(3) == 0 ? random_() : 0);
    const auto zone = below(3) == 0 ? static_cast<std::uint32_t>(random_()) : 0;
    return {asio::ip::address_v6(bytes, zone), port};
  }

  std::string damaged(std::string text) {
    const std::string_view alphabet = "0123456789abcdef.:[]%x \0"sv;
    const std::size_t at = below(static_cast<unsigned>(text.size()));
    const char letter = alphabet[below(static_cast<unsigned>(alphabet.size()))];
    switch (below(3)) {
      case 0:
        return text.erase(at, 1);
      case 1:
        return text.insert(at, 1, letter);
      default:
        text[at] = letter;
        return text;
    }
  }

  const unsigned seed_ = std::random_device{}();
  std::mt19937 random_{seed_};
};

TEST_F(RandomEndpoint, ComesBackFromText) {
  for (int round = 0; round < 20'000; ++round) {
    const endpoint where = any_endpoint();
    std::error_code error;
    ASSERT_EQ(parse_endpoint(to_string(where), error), where) << to_string(where);
    ASSERT_FALSE(error);
  }
}

// Damaged text is refused, or it is good text for another endpoint: nothing in it is overlooked.
TEST_F(RandomEndpoint, DamageIsNeverOverlooked) {
  for (int round = 0; round < 20'000; ++round) {
    const endpoint where = any_endpoint();
    const std::string text = to_string(where);
    const std::string other = damaged(text);
    std::error_code error;
    const endpoint read = parse_endpoint(other, error);
    if (error) {
      ASSERT_EQ(read, endpoint()) << other;
      continue;
    }
    ASSERT_EQ(parse_endpoint(to_string(read)), read) << other;
    // One endpoint has several texts only because zeros can be written in several ways.
    if (read == where) {
      ASSERT_EQ(without_zeros(other), without_zeros(text));
    }
  }
}

}  // namespace
}  // namespace umcg::net
