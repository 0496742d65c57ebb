// SPDX-License-Identifier: MIT

#include "http/date.hpp"

#include <time.h>

#include <chrono>
#include <cstring>

namespace umcg::http {
namespace {

char* put_two_digits(char* to, unsigned value) noexcept {
  to[0] = static_cast<char>('0' + value / 10);
  to[1] = static_cast<char>('0' + value % 10);
  return to + 2;
}

char* put(char* to, std::string_view text) noexcept {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

}  // namespace

std::array<char, date_bytes> format_date(std::int64_t seconds) noexcept {
  using namespace std::chrono;
  const sys_seconds when{std::chrono::seconds(seconds)};
  const sys_days day = floor<days>(when);
  const year_month_day date(day);
  const auto second_of_day = static_cast<unsigned>((when - day).count());
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  constexpr std::string_view weekdays = "SunMonTueWedThuFriSat";
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";

  std::array<char, date_bytes> text;
  char* to = put(text.data(), weekdays.substr(weekday(day).c_encoding() * 3, 3));
  to = put_two_digits(put(to, ", "), static_cast<unsigned>(date.day()));
  to = put(put(to, " "), months.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3));
  to = put_two_digits(put_two_digits(put(to, " "), year / 100), year % 100);
  to = put_two_digits(put(to, " "), second_of_day / 3600);
  to = put_two_digits(put(to, ":"), second_of_day / 60 % 60);
  to = put_two_digits(put(to, ":"), second_of_day % 60);
  put(to, " GMT");
  return text;
}

std::string_view date_cache::now() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != second_) {
    second_ = now.tv_sec;
    text_ = format_date(second_);
  }
  return {text_.data(), text_.size()};
}

}  // namespace umcg::http
