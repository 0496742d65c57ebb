// SPDX-License-Identifier: MIT
#pragma once

// Who has called whom, found by following frame pointers: the library is built with them, so a
// parked worker's stack is known down to the first caller that was not.

#include <array>
#include <cstddef>
#include <cstdint>

namespace umcg::diagnosis {

struct call_stack {
  static constexpr std::size_t depth_max = 40;

  // An address inside the calling instruction, not behind it, so that it belongs to the line of the
  // call. `guessed`: found by looking over the stack, and perhaps left there by an earlier call.
  std::array<std::uintptr_t, depth_max> addresses;
  std::array<bool, depth_max> guessed;
  std::uint32_t depth = 0;

  void add(std::uintptr_t address, bool is_guess = false) noexcept {
    if (depth == depth_max) return;
    guessed[depth] = is_guess;
    addresses[depth++] = address;
  }
  // The caller's, by where it is to return to.
  void add_return(std::uintptr_t to, bool is_guess = false) noexcept { add(to - 1, is_guess); }
};

// A frame pointer and, beside it, a return address.
struct frame_record {
  std::uintptr_t caller = 0;
  std::uintptr_t returns_to = 0;
};

// Adds the callers of the frame record at `frame`, up to the end of the stack (0: not known) or to
// what is no frame. Reads other threads' stacks too, and follows nothing blindly. Signal handlers
// may call it.
void walk_frames(std::uintptr_t frame, std::uintptr_t stack_end, call_stack& into) noexcept;

}  // namespace umcg::diagnosis
