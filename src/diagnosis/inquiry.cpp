// SPDX-License-Identifier: MIT
#include "diagnosis/inquiry.hpp"

#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/futex.hpp"
#include "base/own_memory.hpp"
#include "base/queue_signal.hpp"
#include "diagnosis/request_state.hpp"
#include "libumcg/task.hpp"

namespace umcg::diagnosis {

namespace {

constexpr int signal_offset = 4;
// A thread that runs answers in microseconds, one that others keep from its CPU after a time slice.
constexpr std::chrono::milliseconds answer_takes_at_most(20);

struct registers {
  std::uintptr_t program_counter = 0;
  std::uintptr_t stack_pointer = 0;
  std::uintptr_t frame = 0;
  std::uintptr_t link = 0;  // where a function that calls nobody returns to; 0: on the stack
};

constexpr std::size_t words_copied = 96;

struct question {
  request_state state;
  // The answer. The stack goes on changing, so what has to be looked over is copied.
  registers at;
  std::array<std::uintptr_t, words_copied> words{};
  std::size_t words_used = 0;
  call_stack callers;
};
constinit question asked{};
struct sigaction handler_before {};

// What tells our signals from others': they are queued with the address of this.
constinit std::byte sender_mark{};

registers registers_of(const ucontext_t& context) noexcept {
#if defined(__x86_64__)
  const auto& of = context.uc_mcontext.gregs;
  return {static_cast<std::uintptr_t>(of[REG_RIP]), static_cast<std::uintptr_t>(of[REG_RSP]),
          static_cast<std::uintptr_t>(of[REG_RBP]), 0};
#else
  const auto& of = context.uc_mcontext;
  return {of.pc, of.sp, of.regs[29], of.regs[30]};
#endif
}

void answer(const ucontext_t& context) noexcept {
  asked.at = registers_of(context);
  asked.callers.depth = 0;
  const std::uintptr_t from = asked.at.stack_pointer;
  std::size_t bytes = sizeof asked.words;
  if (asked.at.frame > from && asked.at.frame - from < bytes) bytes = asked.at.frame - from;
  const auto into = std::as_writable_bytes(std::span(asked.words)).first(bytes);
  asked.words_used = base::read_own_memory(from, into) / sizeof(std::uintptr_t);
  walk_frames(asked.at.frame, 0, asked.callers);
}

void pass_on(int signal, siginfo_t* info, void* state) {
  if ((handler_before.sa_flags & SA_SIGINFO) != 0) {
    handler_before.sa_sigaction(signal, info, state);
  } else if (handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN) {
    handler_before.sa_handler(signal);
  }
}

void on_signal(int signal, siginfo_t* info, void* state) {
  if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &sender_mark) {
    return pass_on(signal, info, state);
  }
  const libumcg::task* self = libumcg::current_task;
  if (self == nullptr || !asked.state.begin(self->slot)) return;
  const int saved_errno = errno;
  answer(*static_cast<const ucontext_t*>(state));
  asked.state.finish(self->slot);
  base::futex_wake(asked.state.word());
  errno = saved_errno;
}

bool send(pid_t kernel_thread) noexcept {
  siginfo_t info{};
  info.si_signo = SIGRTMIN + signal_offset;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  info.si_value.sival_ptr = &sender_mark;
  return base::queue_signal(kernel_thread, info) == 0;
}

bool await_answer(std::uint32_t whom) noexcept {
  deadline until = deadline::after(answer_takes_at_most);
  for (bool withdrawn = false; !asked.state.is_answered();) {
    const std::uint32_t word = asked.state.look();
    if (asked.state.is_answered()) break;
    if (until.passed()) {
      // One that has begun is a few system calls from its end.
      if (withdrawn || asked.state.withdraw(whom)) return false;
      withdrawn = true;
      until = deadline::after(50 * answer_takes_at_most);
    }
    base::futex_wait(asked.state.word(), word, until);
  }
  return true;
}

// Return addresses in a function that has set no frame up, or not yet: what it calls, and the
// caller whose frame pointer it has kept.
void add_guesses(std::span<const std::uintptr_t> words, code_map& code, call_stack& into) noexcept {
  constexpr std::uint32_t guesses_max = 4;
  const std::uint32_t depth_max = into.depth + guesses_max;
  for (const std::uintptr_t each : words) {
    if (into.depth < depth_max && code.follows_call(each)) into.add_return(each, true);
  }
}

}  // namespace

int install_inquiry() noexcept {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  // A preemption in between would take the worker, but not the carrier's alternate stack, away.
  sigfillset(&action.sa_mask);
  return ::sigaction(SIGRTMIN + signal_offset, &action, &handler_before) == 0 ? 0 : errno;
}

bool inquire(const libumcg::task& who, pid_t kernel_thread, code_map& code,
             call_stack& into) noexcept {
  if (kernel_thread == 0 || !asked.state.may_ask()) return false;
  asked.state.ask(who.slot);
  if (!send(kernel_thread)) {
    asked.state.withdraw(who.slot);
    return false;
  }
  if (!await_answer(who.slot)) return false;
  into.add(asked.at.program_counter);
  if (code.follows_call(asked.at.link)) into.add_return(asked.at.link, true);
  add_guesses({asked.words.data(), asked.words_used}, code, into);
  for (std::uint32_t at = 0; at < asked.callers.depth; ++at) {
    into.add(asked.callers.addresses[at]);
  }
  asked.state.take();
  return true;
}

void guess_frames(std::uintptr_t stack_pointer, code_map& code, call_stack& into) noexcept {
  std::array<std::uintptr_t, 8 * words_copied> words{};
  const std::size_t used =
      base::read_own_memory(stack_pointer, std::as_writable_bytes(std::span(words))) /
      sizeof(std::uintptr_t);
  for (std::size_t at = 0; at + 1 < used; ++at) {
    const std::uintptr_t here = stack_pointer + at * sizeof(std::uintptr_t);
    const bool points_up = words[at] > here && words[at] - here < sizeof words;
    if (!points_up || !code.follows_call(words[at + 1])) continue;
    add_guesses(std::span(words).first(at), code, into);
    return walk_frames(here, 0, into);
  }
  add_guesses(std::span(words).first(used), code, into);
}

void note_interrupted(const void* context, call_stack& into) noexcept {
  const registers at = registers_of(*static_cast<const ucontext_t*>(context));
  into.add(at.program_counter);
  walk_frames(at.frame, 0, into);
}

}  // namespace umcg::diagnosis
