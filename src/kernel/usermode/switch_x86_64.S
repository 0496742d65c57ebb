# SPDX-License-Identifier: MIT
# Context switches for x86-64 (System V ABI): rbx, rbp, r12-r15, MXCSR and the x87 control word
# belong to the callee.
# A saved stack holds, from its stack pointer up: control words, r15, r14, r13, r12, rbx, rbp,
# return address.

#define SYS_CLONE 56
#define SYS_EXIT 60
#define SYS_ARCH_PRCTL 158
#define SYS_FUTEX 202
#define ARCH_SET_FS 0x1002
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129
# What pthread_create asks for: VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID
# CHILD_CLEARTID
#define CLONE_AS_THREAD 0x3d0f00

.macro SAVE_CONTEXT
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbp, 0
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbx, 0
  pushq %r12
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r12, 0
  pushq %r13
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r13, 0
  pushq %r14
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r14, 0
  pushq %r15
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r15, 0
  subq $8, %rsp
  .cfi_adjust_cfa_offset 8
  stmxcsr (%rsp)
  fnstcw 4(%rsp)
  movl (%rsp), %r8d
  movzwl 4(%rsp), %r9d
.endm

# Loading the control words is slow and they are hardly ever different: r8d and r9d hold those in
# force.
.macro RESTORE_CONTROL_WORDS
  cmpl %r8d, (%rsp)
  jne 8f
  cmpw %r9w, 4(%rsp)
  je 9f
8:
  ldmxcsr (%rsp)
  fldcw 4(%rsp)
9:
.endm

# The message for the continued context is in rax. It ends with ret, not with a jump: workers
# mostly stop at the same
# place, so the processor's return stack holds the right addresses for the next one too, callers
# included.
.macro RESTORE_AND_RETURN
  addq $8, %rsp
  .cfi_adjust_cfa_offset -8
  popq %r15
  .cfi_adjust_cfa_offset -8
  popq %r14
  .cfi_adjust_cfa_offset -8
  popq %r13
  .cfi_adjust_cfa_offset -8
  popq %r12
  .cfi_adjust_cfa_offset -8
  popq %rbx
  .cfi_adjust_cfa_offset -8
  popq %rbp
  .cfi_adjust_cfa_offset -8
  ret
.endm

.macro FUNCTION name
  .globl \name
  .hidden \name
  .type \name, @function
  .p2align 6
\name:
  .cfi_startproc
.endm

.macro END name
  .cfi_endproc
  .size \name, .-\name
.endm

.text

# rdi: from, rsi: to, rdx: message
FUNCTION umcg_switch_by_instruction
  SAVE_CONTEXT
  movq %rsp, (%rdi)
  movq 8(%rsi), %rcx
  movq (%rsi), %rsp
  wrfsbase %rcx
  movq %rdx, %rax
  RESTORE_CONTROL_WORDS
  RESTORE_AND_RETURN
END umcg_switch_by_instruction

FUNCTION umcg_switch_by_system_call
  SAVE_CONTEXT
  movq %rsp, (%rdi)
  movq (%rsi), %rsp
  movq 8(%rsi), %rsi
  movl $ARCH_SET_FS, %edi
  movl $SYS_ARCH_PRCTL, %eax
  syscall
  movq %rdx, %rax
  RESTORE_CONTROL_WORDS
  RESTORE_AND_RETURN
END umcg_switch_by_system_call

# As by instruction; %gs:0 holds what umcg_restore_thread_pointer writes. A trap between the two
# writes of the thread pointer leaves the right one.
FUNCTION umcg_switch_restored
  SAVE_CONTEXT
  movq %rsp, (%rdi)
  movq 8(%rsi), %rcx
  movq (%rsi), %rsp
  movq %rcx, %gs:0
  wrfsbase %rcx
  movq %rdx, %rax
  RESTORE_CONTROL_WORDS
  RESTORE_AND_RETURN
END umcg_switch_restored

# A handler of SIGTRAP: edi: signal, rsi: siginfo. The thread pointer is not to be used before it
# is written. A trap that
# is not a perf event's (a breakpoint without a debugger) ends the program with SIGILL.
#define SI_CODE 8
#define TRAP_PERF 6
FUNCTION umcg_restore_thread_pointer
  cmpl $TRAP_PERF, SI_CODE(%rsi)
  jne 1f
  movq %gs:0, %rax
  wrfsbase %rax
  ret
1:
  ud2
END umcg_restore_thread_pointer

# rdi: word. Sets it to 1 and wakes its futex, without a stack.
.macro PUBLISH
  movl $1, %eax
  xchgl %eax, (%rdi)
  movl $FUTEX_WAKE_PRIVATE, %esi
  movl $0x7fffffff, %edx
  movl $SYS_FUTEX, %eax
  syscall
.endm

# rdi: from, rsi: saved
FUNCTION umcg_save_and_exit
  SAVE_CONTEXT
  movq %rsp, (%rdi)
  movq %rsi, %rdi
  PUBLISH
  xorl %edi, %edi
  movl $SYS_EXIT, %eax
  syscall
  ud2
END umcg_save_and_exit

# rdi: from, rsi: saved, rdx: home, rcx: stack
FUNCTION umcg_save_and_stay
  SAVE_CONTEXT
  movq %rsp, (%rdi)
  movq %rcx, %rsp
  movq %rdi, %rbx
  movq %rdx, %rbp
  movq %rsi, %rdi
  PUBLISH
1:
  cmpl $0, (%rbp)
  jne 2f
  movq %rbp, %rdi
  movl $FUTEX_WAIT_PRIVATE, %esi
  xorl %edx, %edx
  xorl %r10d, %r10d
  movl $SYS_FUTEX, %eax
  syscall
  jmp 1b
2:
  movq (%rbx), %rsp
  xorl %eax, %eax
  ldmxcsr (%rsp)
  fldcw 4(%rsp)
  RESTORE_AND_RETURN
END umcg_save_and_stay

# rdi: from, rsi: message, rdx: child_tid
FUNCTION umcg_continue_on_new_thread
  movq %rdx, %r10
  movq 8(%rdi), %r8
  movq %rsi, %r9
  movq (%rdi), %rsi
  movl $CLONE_AS_THREAD, %edi
  movl $SYS_CLONE, %eax
  syscall
  testq %rax, %rax
  jz 1f
  ret
1:
  .cfi_def_cfa %rsp, 64
  movq %r9, %rax
  ldmxcsr (%rsp)
  fldcw 4(%rsp)
  RESTORE_AND_RETURN
END umcg_continue_on_new_thread

.section .note.GNU-stack,"",@progbits
