// SPDX-License-Identifier: MIT
#include "diagnosis/text_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace umcg::diagnosis {

namespace {

using digits = std::array<char, 24>;

std::string_view format(std::uint64_t number, int base, digits& into) noexcept {
  const auto end = std::to_chars(into.data(), into.data() + into.size(), number, base);
  return {into.data(), static_cast<std::size_t>(end.ptr - into.data())};
}

}  // namespace

text_writer& text_writer::operator<<(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t count = std::min(text.size(), buffer_.size() - used_);
    std::memcpy(buffer_.data() + used_, text.data(), count);
    used_ += count;
    text.remove_prefix(count);
    if (used_ == buffer_.size()) flush();
  }
  return *this;
}

text_writer& text_writer::operator<<(hexadecimal address) noexcept {
  digits text;
  return *this << "0x" << format(address.value, 16, text);
}

text_writer& text_writer::operator<<(counted things) noexcept {
  *this << things.count << ' ' << things.noun;
  return things.count == 1 ? *this : *this << 's';
}

text_writer& text_writer::write_number(std::uint64_t number) noexcept {
  digits text;
  return *this << format(number, 10, text);
}

text_writer& text_writer::operator<<(std::chrono::nanoseconds duration) noexcept {
  const std::int64_t us = std::max<std::int64_t>(duration.count() / 1000, 0);
  if (us < 1000) return *this << us << " us";
  if (us < 1'000'000) return *this << us / 1000 << " ms";
  return *this << us / 1'000'000 << '.' << us / 100'000 % 10 << " s";
}

void text_writer::flush() noexcept {
  constexpr int patience_ms = 1000;
  const char* at = buffer_.data();
  while (used_ > 0 && failed_ == 0) {
    const ssize_t written = ::write(fd_, at, used_);
    if (written >= 0) {
      at += written;
      used_ -= static_cast<std::size_t>(written);
    } else if (errno == EAGAIN) {
      pollfd room{fd_, POLLOUT, 0};
      if (::poll(&room, 1, patience_ms) == 0) failed_ = EAGAIN;
    } else if (errno != EINTR) {
      failed_ = errno;
    }
  }
  used_ = 0;
}

}  // namespace umcg::diagnosis
