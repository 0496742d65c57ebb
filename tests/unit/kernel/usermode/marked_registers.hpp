// SPDX-License-Identifier: MIT
#pragma once

// Sees to it that a switch keeps every register that belongs to the callee: fills all of them,
// switches, and looks at what they hold when somebody switches back.

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernel/usermode/context.hpp"

namespace umcg::kernel::usermode {

#if defined(__x86_64__)
constexpr std::size_t marks_count = 6;  // rbx rbp r12-r15
#elif defined(__aarch64__)
constexpr std::size_t marks_count = 18;  // x19-x28 d8-d15
#endif
using register_marks = std::array<std::uint64_t, marks_count>;

extern "C" void* umcg_test_marked_switch(context* from, const context* to, void* message,
                                         switch_function switch_of, register_marks* marks);

// clang-format off
#if defined(__x86_64__)
asm(R"(
.text
.globl umcg_test_marked_switch
.hidden umcg_test_marked_switch
.type umcg_test_marked_switch, @function
umcg_test_marked_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  pushq %r8
  movq 0(%r8), %rbx
  movq 8(%r8), %rbp
  movq 16(%r8), %r12
  movq 24(%r8), %r13
  movq 32(%r8), %r14
  movq 40(%r8), %r15
  call *%rcx
  popq %r8
  movq %rbx, 0(%r8)
  movq %rbp, 8(%r8)
  movq %r12, 16(%r8)
  movq %r13, 24(%r8)
  movq %r14, 32(%r8)
  movq %r15, 40(%r8)
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size umcg_test_marked_switch, .-umcg_test_marked_switch
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl umcg_test_marked_switch
.hidden umcg_test_marked_switch
.type umcg_test_marked_switch, %function
umcg_test_marked_switch:
  stp x29, x30, [sp, #-176]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  str x4, [sp, #160]
  ldp x19, x20, [x4, #0]
  ldp x21, x22, [x4, #16]
  ldp x23, x24, [x4, #32]
  ldp x25, x26, [x4, #48]
  ldp x27, x28, [x4, #64]
  ldp d8, d9, [x4, #80]
  ldp d10, d11, [x4, #96]
  ldp d12, d13, [x4, #112]
  ldp d14, d15, [x4, #128]
  blr x3
  ldr x4, [sp, #160]
  stp x19, x20, [x4, #0]
  stp x21, x22, [x4, #16]
  stp x23, x24, [x4, #32]
  stp x25, x26, [x4, #48]
  stp x27, x28, [x4, #64]
  stp d8, d9, [x4, #80]
  stp d10, d11, [x4, #96]
  stp d12, d13, [x4, #112]
  stp d14, d15, [x4, #128]
  ldp d14, d15, [sp, #144]
  ldp d12, d13, [sp, #128]
  ldp d10, d11, [sp, #112]
  ldp d8, d9, [sp, #96]
  ldp x27, x28, [sp, #80]
  ldp x25, x26, [sp, #64]
  ldp x23, x24, [sp, #48]
  ldp x21, x22, [sp, #32]
  ldp x19, x20, [sp, #16]
  ldp x29, x30, [sp], #176
  ret
.size umcg_test_marked_switch, .-umcg_test_marked_switch
)");
#endif
// clang-format on

// True if all registers still hold their marks, which `first` makes unlike anybody else's.
inline bool keeps_marks(context& from, const context& to, std::uint64_t first) {
  register_marks marks;
  for (std::size_t at = 0; at < marks.size(); ++at) marks[at] = (first << 32) + at;
  register_marks seen = marks;
  umcg_test_marked_switch(&from, &to, nullptr, switch_context, &seen);
  return seen == marks;
}

// The control bits of every floating-point unit, without the flags that computing sets.
inline std::uint64_t floating_point_control() {
#if defined(__x86_64__)
  constexpr std::uint32_t flags = 0x3f;
  std::uint32_t mxcsr = 0;
  std::uint16_t x87 = 0;
  asm volatile("stmxcsr %0" : "=m"(mxcsr));
  asm volatile("fnstcw %0" : "=m"(x87));
  return (std::uint64_t{x87} << 32) | (mxcsr & ~flags);
#elif defined(__aarch64__)
  std::uint64_t fpcr = 0;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  return fpcr;
#endif
}

// A control bit that only vector units have.
inline void flush_denormals(bool flush) {
#if defined(__x86_64__)
  constexpr std::uint32_t bit = 1U << 15;
  std::uint32_t mxcsr = 0;
  asm volatile("stmxcsr %0" : "=m"(mxcsr));
  mxcsr = flush ? mxcsr | bit : mxcsr & ~bit;
  asm volatile("ldmxcsr %0" : : "m"(mxcsr));
#elif defined(__aarch64__)
  constexpr std::uint64_t bit = std::uint64_t{1} << 24;
  std::uint64_t fpcr = floating_point_control();
  fpcr = flush ? fpcr | bit : fpcr & ~bit;
  asm volatile("msr fpcr, %0" : : "r"(fpcr));
#endif
}

}  // namespace umcg::kernel::usermode
