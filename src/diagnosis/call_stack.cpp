// SPDX-License-Identifier: MIT
#include "diagnosis/call_stack.hpp"

#include "base/own_memory.hpp"

namespace umcg::diagnosis {

void walk_frames(std::uintptr_t frame, std::uintptr_t stack_end, call_stack& into) noexcept {
  // No function of anybody's has such a frame.
  constexpr std::uintptr_t frame_bytes_max = std::uintptr_t{1} << 22;
  const auto is_frame = [&](std::uintptr_t at) {
    return at % alignof(void*) == 0 && at != 0 &&
           (stack_end == 0 || at + sizeof(frame_record) <= stack_end);
  };
  frame_record found;
  while (into.depth < call_stack::depth_max && is_frame(frame) &&
         base::read_own_value(frame, found) && found.returns_to != 0) {
    into.add_return(found.returns_to);
    // Stacks grow downwards: a caller's frame lies above.
    if (found.caller <= frame || found.caller - frame > frame_bytes_max) return;
    frame = found.caller;
  }
}

}  // namespace umcg::diagnosis
