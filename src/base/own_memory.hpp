// SPDX-License-Identifier: MIT
#pragma once

// Reads this process's memory as a debugger does: that an address is not mapped is an answer, not a
// fault, and what others write meanwhile is read as it comes.

#include <cstddef>
#include <cstdint>
#include <span>

namespace umcg::base {

// Returns how many bytes from `address` on could be read. Any thread, and signal handlers; never
// blocks, does not touch errno.
std::size_t read_own_memory(std::uintptr_t address, std::span<std::byte> into) noexcept;

// False: not all of it could be read.
template <class Value>
bool read_own_value(std::uintptr_t address, Value& into) noexcept {
  return read_own_memory(address, std::as_writable_bytes(std::span(&into, 1))) == sizeof into;
}

}  // namespace umcg::base
