// SPDX-License-Identifier: MIT
#pragma once

// The kernel as the native half sees it: the machine's own, or a test's. Each call returns 0 or a
// negated error number, and leaves errno alone.

#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/native/kernel_task.hpp"

namespace umcg::kernel::native {

class system_calls {
 public:
  virtual ~system_calls() = default;

  // umcg_ctl: registers the calling thread with `self`, or unregisters it, with null. A thread that
  // registers as a worker returns when a server runs it.
  virtual long ctl(std::uint32_t flags, kernel_task* self) noexcept = 0;
  // umcg_wait, always without a deadline: the kernel counts them on the clock that can be set.
  virtual long wait(std::uint32_t flags) noexcept = 0;
  // Any call on whose return the kernel looks at the thread anew.
  virtual void reschedule() noexcept = 0;
};

// The patches never got numbers of their own; Linux has given theirs to other calls since.
struct call_numbers {
  long ctl = 0;
  long wait = 0;
};
constexpr const char* numbers_variable = "UMCG_NATIVE_SYSCALLS";

// `text`: two numbers, "450,451"; null for those of the patches. False with `problem` set: that is
// not what it is, or there are none for this processor.
bool read_numbers(const char* text, call_numbers& numbers, std::string& problem);

// The calls by number, for as long as the process lives.
system_calls& calls_by_number(const call_numbers& numbers);

}  // namespace umcg::kernel::native
