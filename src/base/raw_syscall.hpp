// SPDX-License-Identifier: MIT
#pragma once

// System calls that do not touch errno. A kernel thread that is between two contexts has no errno
// to call its own.

#include <array>
#include <cstddef>

namespace umcg::base {

// Returns what the kernel returns: a value, or a negated error number.
inline long raw_syscall(long number, std::array<long, 6> arguments) noexcept {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = arguments[3];
  register long r8 __asm__("r8") = arguments[4];
  register long r9 __asm__("r9") = arguments[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]), "r"(r10),
                     "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = arguments[0];
  register long x1 __asm__("x1") = arguments[1];
  register long x2 __asm__("x2") = arguments[2];
  register long x3 __asm__("x3") = arguments[3];
  register long x4 __asm__("x4") = arguments[4];
  register long x5 __asm__("x5") = arguments[5];
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#else
#error "umcg supports x86-64 and AArch64"
#endif
}

template <class... Arguments>
long raw_syscall(long number, Arguments... arguments) noexcept {
  return raw_syscall(number, std::array<long, 6>{((long)(arguments))...});
}

}  // namespace umcg::base
