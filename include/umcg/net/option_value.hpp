// SPDX-License-Identifier: MIT
#pragma once

// The values of socket options as the kernel reads and writes them.

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace umcg::net::option {

// The kernel's numbers are ints: what is too large becomes the largest one.
constexpr int clamped(std::int64_t number) noexcept {
  return static_cast<int>(std::clamp<std::int64_t>(number, INT32_MIN, INT32_MAX));
}

template <class Value>
class kernel_value {
 public:
  kernel_value() = default;
  explicit kernel_value(const Value& value) noexcept : number_(to_number(value)) {}
  Value value() const noexcept {
    if constexpr (std::same_as<Value, bool>) {
      return number_ != 0;
    } else {
      return Value(number_);
    }
  }

  void* data() noexcept { return &number_; }
  const void* data() const noexcept { return &number_; }
  std::size_t size() const noexcept { return sizeof number_; }
  // The kernel writes one byte of some flags.
  void resize(std::size_t size) noexcept {
    if (size == 1) number_ = *reinterpret_cast<const unsigned char*>(&number_);
  }

 private:
  static int to_number(const Value& value) noexcept {
    if constexpr (std::same_as<Value, bool> || std::same_as<Value, int>) {
      return value;
    } else {
      return clamped(value.count());
    }
  }

  int number_ = 0;
};

template <>
class kernel_value<std::optional<std::chrono::seconds>> {
 public:
  using value_type = std::optional<std::chrono::seconds>;

  kernel_value() = default;
  explicit kernel_value(const value_type& value) noexcept {
    linger_.l_onoff = value ? 1 : 0;
    if (value) linger_.l_linger = clamped(value->count());
  }
  value_type value() const noexcept {
    if (linger_.l_onoff == 0) return std::nullopt;
    return std::chrono::seconds(linger_.l_linger);
  }

  void* data() noexcept { return &linger_; }
  const void* data() const noexcept { return &linger_; }
  std::size_t size() const noexcept { return sizeof linger_; }
  void resize(std::size_t) noexcept {}

 private:
  ::linger linger_{};
};

// A name, such as that of an interface.
template <>
class kernel_value<std::string> {
 public:
  static constexpr std::size_t size_max = 64;  // longer ones are cut, and the kernel knows none

  kernel_value() = default;
  explicit kernel_value(std::string_view text) noexcept : size_(std::min(text.size(), size_max)) {
    std::copy_n(text.begin(), size_, text_.begin());
  }
  std::string value() const {
    const std::string_view all(text_.data(), size_);
    return std::string(all.substr(0, all.find('\0')));
  }

  void* data() noexcept { return text_.data(); }
  const void* data() const noexcept { return text_.data(); }
  std::size_t size() const noexcept { return size_; }
  void resize(std::size_t size) noexcept { size_ = std::min(size, size_max); }

 private:
  std::array<char, size_max> text_{};
  std::size_t size_ = size_max;
};

}  // namespace umcg::net::option
