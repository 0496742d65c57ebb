// SPDX-License-Identifier: MIT
#pragma once

// Text to a descriptor, by write(2) and without stdio and malloc, whose locks a worker may own.

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace umcg::diagnosis {

// An address: 0x7f0012345678.
struct hexadecimal {
  std::uintptr_t value;
};

// `1 worker`, `2 workers`: a count and its noun.
struct counted {
  std::uint64_t count;
  std::string_view noun;
};

class text_writer {
 public:
  explicit text_writer(int fd) noexcept : fd_(fd) {}
  ~text_writer() { flush(); }
  text_writer(const text_writer&) = delete;
  text_writer& operator=(const text_writer&) = delete;

  text_writer& operator<<(std::string_view text) noexcept;
  text_writer& operator<<(char one) noexcept { return *this << std::string_view(&one, 1); }
  text_writer& operator<<(hexadecimal address) noexcept;
  text_writer& operator<<(counted things) noexcept;
  // As a person says it: 12.3 s, 450 ms, 3 us.
  text_writer& operator<<(std::chrono::nanoseconds duration) noexcept;
  template <std::integral Number>
  requires(!std::same_as<Number, char>) text_writer& operator<<(Number number) noexcept {
    if constexpr (std::signed_integral<Number>) {
      if (number < 0) *this << '-';
      return write_number(number < 0 ? 0 - static_cast<std::uint64_t>(number)
                                     : static_cast<std::uint64_t>(number));
    } else {
      return write_number(number);
    }
  }

  // Blocks while the descriptor takes nothing; on an error the rest is dropped.
  void flush() noexcept;

  bool failed() const noexcept { return failed_ != 0; }
  // The error number of the first write that failed; 0: none.
  int error() const noexcept { return failed_; }

 private:
  text_writer& write_number(std::uint64_t number) noexcept;

  const int fd_;
  int failed_ = 0;
  std::size_t used_ = 0;
  std::array<char, 8192> buffer_;
};

}  // namespace umcg::diagnosis
