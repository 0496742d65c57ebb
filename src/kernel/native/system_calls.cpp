// SPDX-License-Identifier: MIT
#include "kernel/native/system_calls.hpp"

#include <sys/syscall.h>

#include <charconv>
#include <cstring>

#include "base/raw_syscall.hpp"

namespace umcg::kernel::native {

namespace {

// Below are the calls that every Linux has; from 512 on x86-64 has those of x32.
constexpr long number_least = 424;
constexpr long number_most = 511;

class numbered_calls final : public system_calls {
 public:
  explicit numbered_calls(const call_numbers& numbers) noexcept : numbers_(numbers) {}

  // What lies in the registers behind the arguments is 0, in case that the number is another
  // call's.
  long ctl(std::uint32_t flags, kernel_task* self) noexcept override {
    return base::raw_syscall(numbers_.ctl, flags, self, 0, 0, 0, 0);
  }
  long wait(std::uint32_t flags) noexcept override {
    return base::raw_syscall(numbers_.wait, flags, 0, 0, 0, 0, 0);
  }
  void reschedule() noexcept override { base::raw_syscall(SYS_sched_yield); }

 private:
  const call_numbers numbers_;
};

bool in_range(long number) noexcept { return number >= number_least && number <= number_most; }

}  // namespace

bool read_numbers(const char* text, call_numbers& numbers, std::string& problem) {
  if (text == nullptr) {
#if defined(__x86_64__)
    numbers = {450, 451};
    return true;
#else
    problem = std::string("the UMCG patches have system call numbers for x86-64 only; ") +
              numbers_variable + " names others";
    return false;
#endif
  }
  const char* const end = text + std::strlen(text);
  const auto ctl = std::from_chars(text, end, numbers.ctl);
  const bool comma = ctl.ec == std::errc() && ctl.ptr != end && *ctl.ptr == ',';
  const auto wait = std::from_chars(comma ? ctl.ptr + 1 : end, end, numbers.wait);
  if (wait.ec == std::errc() && wait.ptr == end && in_range(numbers.ctl) &&
      in_range(numbers.wait) && numbers.ctl != numbers.wait) {
    return true;
  }
  problem = std::string(numbers_variable) + "=" + text +
            " is not two different system call numbers from " + std::to_string(number_least) +
            " to " + std::to_string(number_most) + ", such as 450,451";
  return false;
}

system_calls& calls_by_number(const call_numbers& numbers) { return *new numbered_calls(numbers); }

}  // namespace umcg::kernel::native
