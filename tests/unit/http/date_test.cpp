// SPDX-License-Identifier: MIT

#include "http/date.hpp"

#include <time.h>

#include <iostream>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace umcg::http {
namespace {

std::string formatted(std::int64_t seconds) {
  const auto text = format_date(seconds);
  return {text.data(), text.size()};
}

TEST(date, is_that_of_rfc9110_5_6_7) {
  EXPECT_EQ(formatted(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(formatted(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(formatted(951782399), "Mon, 28 Feb 2000 23:59:59 GMT");
  EXPECT_EQ(formatted(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(date, agrees_with_the_c_library) {
  const unsigned seed = std::random_device{}();
  std::cout << "seed " << seed << '\n';
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const time_t when = static_cast<time_t>(random() % 253402300800);  // to the end of 9999
    tm parts;
    gmtime_r(&when, &parts);
    char text[40];
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    ASSERT_EQ(formatted(when), text);
  }
}

TEST(date_cache, holds_the_current_second) {
  date_cache cache;
  timespec before, after;
  clock_gettime(CLOCK_REALTIME_COARSE, &before);
  const std::string text(cache.now());
  clock_gettime(CLOCK_REALTIME_COARSE, &after);
  EXPECT_TRUE(text == formatted(before.tv_sec) || text == formatted(after.tv_sec)) << text;
}

}  // namespace
}  // namespace umcg::http
