// SPDX-License-Identifier: MIT
#include "diagnosis/code_map.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/own_memory.hpp"
#include "base/unique_fd.hpp"

namespace umcg::diagnosis {

namespace {

// Stacks may need a mapping each, as many as the kernel allows.
constexpr std::size_t text_bytes_max = std::size_t{64} << 20;
constexpr std::size_t mappings_max = 4096;

// The part of `line` up to `end`, which is taken off it.
std::string_view take_until(std::string_view& line, char end) noexcept {
  const std::size_t at = std::min(line.find(end), line.size());
  const std::string_view part = line.substr(0, at);
  line.remove_prefix(std::min(at + 1, line.size()));
  return part;
}

std::uint64_t hexadecimal_of(std::string_view text) noexcept {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

}  // namespace

code_map::code_map() noexcept : text_(text_bytes_max), mappings_(mappings_max) {
  read_file();
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text_.size(); ++at) {
    if (text_[at] != '\n') continue;
    text_[at] = '\0';
    add({&text_[begin], at - begin});
    begin = at + 1;
  }
}

void code_map::read_file() noexcept {
  const base::unique_fd file(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  if (!file) return;
  for (;;) {
    const auto room = text_.room();
    const ssize_t count = ::read(file.get(), room.data(), room.size());
    if (count <= 0) return;
    text_.resize(text_.size() + static_cast<std::size_t>(count));
  }
}

// 55d0c1a00000-55d0c1a21000 r-xp 00021000 fe:01 123456   /usr/bin/program
void code_map::add(std::string_view line) noexcept {
  const std::uintptr_t begin = hexadecimal_of(take_until(line, '-'));
  const std::uintptr_t end = hexadecimal_of(take_until(line, ' '));
  const std::string_view rights = take_until(line, ' ');
  const std::uint64_t offset = hexadecimal_of(take_until(line, ' '));
  if (rights.size() < 3 || rights[2] != 'x') return;
  take_until(line, ' ');
  take_until(line, ' ');
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  mappings_.push({begin, end, offset, line.starts_with('/') ? line : std::string_view()});
}

const code_mapping* code_map::find(std::uintptr_t address) noexcept {
  const auto all = mappings();
  const auto after = std::ranges::upper_bound(all, address, {}, &code_mapping::begin);
  if (after == all.begin()) return nullptr;
  const code_mapping& found = *std::prev(after);
  return address < found.end ? &found : nullptr;
}

bool code_map::follows_call(std::uintptr_t address) noexcept {
  if (find(address) == nullptr || find(address - 1) == nullptr) return false;
#if defined(__x86_64__)
  constexpr std::size_t longest = 7;
  std::array<unsigned char, longest> before{};
  if (!base::read_own_value(address - longest, before)) return false;
  if (before[longest - 5] == 0xe8) return true;  // call rel32
  // call r/m64: 0xff with 2 in the middle of the next byte, and what that wants.
  return std::ranges::any_of(std::array<std::size_t, 5>{2, 3, 4, 6, 7}, [&](std::size_t size) {
    return before[longest - size] == 0xff && (before[longest - size + 1] >> 3 & 7) == 2;
  });
#else
  std::uint32_t before = 0;
  if (address % 4 != 0 || !base::read_own_value(address - 4, before)) return false;
  return (before & 0xfc000000) == 0x94000000 || (before & 0xfffffc1f) == 0xd63f0000;  // bl, blr
#endif
}

}  // namespace umcg::diagnosis
