// SPDX-License-Identifier: MIT
// Context switches for AArch64 (AAPCS64): x19-x30, the low halves of v8-v15 and FPCR belong to the
// callee.
// A saved stack holds, from its stack pointer up: x19-x30 (96 bytes), d8-d15 (64 bytes), FPCR (16
// bytes).

#define SYS_EXIT 93
#define SYS_FUTEX 98
#define SYS_CLONE 220
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129
// What pthread_create asks for: VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID
// CHILD_CLEARTID
#define CLONE_AS_THREAD 0x3d0f00
#define FRAME 176

.macro SAVE_CONTEXT
  sub sp, sp, #FRAME
  .cfi_def_cfa_offset FRAME
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  .cfi_rel_offset x29, 80
  .cfi_rel_offset x30, 88
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mrs x9, fpcr
  str x9, [sp, #160]
.endm

// The message for the continued context is in x0.
.macro RESTORE_AND_RETURN
  ldr x9, [sp, #160]
  msr fpcr, x9
  ldp d14, d15, [sp, #144]
  ldp d12, d13, [sp, #128]
  ldp d10, d11, [sp, #112]
  ldp d8, d9, [sp, #96]
  ldp x29, x30, [sp, #80]
  ldp x27, x28, [sp, #64]
  ldp x25, x26, [sp, #48]
  ldp x23, x24, [sp, #32]
  ldp x21, x22, [sp, #16]
  ldp x19, x20, [sp, #0]
  add sp, sp, #FRAME
  .cfi_def_cfa_offset 0
  ret
.endm

.macro FUNCTION name
  .globl \name
  .hidden \name
  .type \name, %function
  .p2align 6
\name:
  .cfi_startproc
.endm

.macro END name
  .cfi_endproc
  .size \name, .-\name
.endm

.text

// x0: from, x1: to, x2: message
FUNCTION umcg_switch_by_instruction
  SAVE_CONTEXT
  mov x9, sp
  str x9, [x0]
  ldp x9, x10, [x1]
  mov sp, x9
  msr tpidr_el0, x10
  mov x0, x2
  RESTORE_AND_RETURN
END umcg_switch_by_instruction

// x0: word. Sets it to 1 and wakes its futex, without a stack.
.macro PUBLISH
  mov w9, #1
  stlr w9, [x0]
  mov x1, #FUTEX_WAKE_PRIVATE
  mov x2, #0x7fffffff
  mov x8, #SYS_FUTEX
  svc #0
.endm

// x0: from, x1: saved
FUNCTION umcg_save_and_exit
  SAVE_CONTEXT
  mov x9, sp
  str x9, [x0]
  mov x0, x1
  PUBLISH
  mov x0, #0
  mov x8, #SYS_EXIT
  svc #0
  brk #1
END umcg_save_and_exit

// x0: from, x1: saved, x2: home, x3: stack
FUNCTION umcg_save_and_stay
  SAVE_CONTEXT
  mov x9, sp
  str x9, [x0]
  mov sp, x3
  mov x19, x0
  mov x20, x2
  mov x0, x1
  PUBLISH
1:
  ldar w9, [x20]
  cbnz w9, 2f
  mov x0, x20
  mov x1, #FUTEX_WAIT_PRIVATE
  mov x2, #0
  mov x3, #0
  mov x8, #SYS_FUTEX
  svc #0
  b 1b
2:
  ldr x9, [x19]
  mov sp, x9
  mov x0, #0
  RESTORE_AND_RETURN
END umcg_save_and_stay

// x0: from, x1: message, x2: child_tid
FUNCTION umcg_continue_on_new_thread
  mov x9, x1
  mov x4, x2
  ldr x3, [x0, #8]
  ldr x1, [x0]
  mov x0, #(CLONE_AS_THREAD & 0xffff)
  movk x0, #(CLONE_AS_THREAD >> 16), lsl #16
  mov x8, #SYS_CLONE
  // The parent's x2 is both where its copy of the TID goes and what the child clears.
  svc #0
  cbz x0, 1f
  ret
1:
  mov x0, x9
  RESTORE_AND_RETURN
END umcg_continue_on_new_thread

.section .note.GNU-stack,"",%progbits
