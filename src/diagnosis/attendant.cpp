// SPDX-License-Identifier: MIT
#include "diagnosis/attendant.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <string_view>

#include "base/detached_thread.hpp"
#include "base/futex.hpp"
#include "base/short_lock.hpp"
#include "diagnosis/deadlock.hpp"
#include "diagnosis/demangler.hpp"
#include "diagnosis/inquiry.hpp"
#include "diagnosis/request_state.hpp"
#include "diagnosis/stack_overflow.hpp"
#include "diagnosis/worker_dump.hpp"
#include "libumcg/blocked_report.hpp"

namespace umcg::diagnosis {

namespace {

// Copies of tasks, stacks and a page of text, not more.
constexpr std::size_t stack_bytes = std::size_t{256} << 10;
constexpr std::chrono::seconds stack_takes_at_most(5);

// A dump that somebody waits for, on the stack of that one.
struct wanted_dump {
  int fd;
  int error = 0;
  wanted_dump* next = nullptr;
  std::atomic<std::uint32_t> done{0};
};

struct attendance {
  base::short_lock lock;
  bool started UMCG_GUARDED_BY(lock) = false;
  wanted_dump* wanted UMCG_GUARDED_BY(lock) = nullptr;
  std::atomic<std::uint32_t> bell{0};  // what has been asked for; 0: nothing
  request_state fault;                 // `faulted` is to be printed
  call_stack faulted;
  std::atomic<int> signal{0};  // that asks for a dump
  // A worker that blocks its server, and the line to be said of it; null: none.
  std::atomic<libumcg::task*> blocked{nullptr};
  std::array<char, 256> blocked_line{};  // passes from the reporter to the attendant
};
constinit attendance here{};

enum : std::uint32_t {
  dump_to_error = 1,
  dump_wanted = 2,
  print_fault = 4,
  look_for_deadlock = 8,
  unblock_signal = 16,
  print_blocked = 32
};

constexpr std::uint32_t anybody = 0;

void ring(std::uint32_t what) noexcept {
  here.bell.fetch_or(what);
  base::futex_wake(here.bell);
}

wanted_dump* take_wanted() noexcept {
  const base::short_guard guard(here.lock);
  wanted_dump* const first = here.wanted;
  if (first != nullptr) here.wanted = first->next;
  return first;
}

void write_wanted() noexcept {
  while (wanted_dump* const each = take_wanted()) {
    each->error = write_dump(each->fd);
    base::set_and_wake(each->done);
  }
}

void write_fault() noexcept {
  if (!here.fault.begin(anybody)) return;
  {
    text_writer out(STDERR_FILENO);
    symbols names;
    folded_stacks stacks(1);
    stacks.add(here.faulted, 0);
    stacks.resolve(names);
    write_frames(out, here.faulted, stacks);
  }
  here.fault.finish(anybody);
  base::futex_wake(here.fault.word());
}

void write_blocked() noexcept {
  libumcg::task* const worker = here.blocked.load();
  if (worker == nullptr) return;
  write_worker(STDERR_FILENO, here.blocked_line.data(), *worker);
  here.blocked.store(nullptr);
}

// By the one thread that reports. One at a time: what comes meanwhile is left out.
void note_blocked(libumcg::task& worker, std::string_view line) noexcept {
  if (here.blocked.load() != nullptr) return;
  const std::size_t size = std::min(line.size(), here.blocked_line.size() - 1);
  std::copy_n(line.begin(), size, here.blocked_line.begin());
  here.blocked_line[size] = '\0';
  here.blocked.store(&worker);
  ring(print_blocked);
}

// Also when all other threads block it, there is one that takes it.
void unblock() noexcept {
  sigset_t taken;
  sigemptyset(&taken);
  sigaddset(&taken, here.signal.load());
  ::pthread_sigmask(SIG_UNBLOCK, &taken, nullptr);
}

void* attend(void* /*unused*/) {
  base::name_this_thread("umcg-diagnosis");
  for (;;) {
    const std::uint32_t asked = here.bell.exchange(0);
    if ((asked & print_fault) != 0) write_fault();
    if ((asked & print_blocked) != 0) write_blocked();
    if ((asked & unblock_signal) != 0) unblock();
    if ((asked & dump_to_error) != 0) write_dump(STDERR_FILENO);
    if ((asked & dump_wanted) != 0) write_wanted();
    if ((asked & look_for_deadlock) != 0 && !watch_for_deadlock(here.bell)) {
      here.bell.fetch_or(look_for_deadlock);
    }
    base::futex_wait(here.bell, 0);
  }
  return nullptr;
}

// The child has neither of the threads; whoever had asked has the parent's answers.
void forget_all() noexcept {
  new (&here) attendance;
  forget_demangler();
  forget_watch();
}

}  // namespace

int start_attendant() noexcept {
  static const int watches_forks = ::pthread_atfork(nullptr, nullptr, forget_all);
  if (watches_forks != 0) return watches_forks;
  {
    const base::short_guard guard(here.lock);
    if (here.started) return 0;
    here.started = true;
  }
  // Names are a luxury.
  start_demangler();
  install_inquiry();
  report_stack_overflows();
  const int failed = base::start_detached_thread(stack_bytes, attend, nullptr);
  if (failed == 0) {
    libumcg::report_blocked.store(note_blocked);
    return 0;
  }
  const base::short_guard guard(here.lock);
  here.started = false;
  return failed;
}

void take_signal(int signal) noexcept {
  here.signal.store(signal);
  ring(unblock_signal);
}

void ask_for_dump() noexcept { ring(dump_to_error); }

int await_dump(int fd) noexcept {
  wanted_dump mine{.fd = fd};
  {
    const base::short_guard guard(here.lock);
    wanted_dump** end = &here.wanted;
    while (*end != nullptr) end = &(*end)->next;
    *end = &mine;
  }
  ring(dump_wanted);
  base::sleep_until_set(mine.done, deadline::never());
  return mine.error;
}

void print_stack(const call_stack& calls) noexcept {
  // Another worker's is being printed: two at once are one too many.
  if (!here.fault.may_ask()) return;
  here.faulted = calls;
  here.fault.ask(anybody);
  ring(print_fault);
  const deadline until = deadline::after(stack_takes_at_most);
  while (!here.fault.is_answered() && !until.passed()) {
    const std::uint32_t word = here.fault.look();
    if (!here.fault.is_answered()) base::futex_wait(here.fault.word(), word, until);
  }
  here.fault.withdraw(anybody);
}

void suspect_deadlock() noexcept {
  if (may_begin_watch()) ring(look_for_deadlock);
}

}  // namespace umcg::diagnosis
