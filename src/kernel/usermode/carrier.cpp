// SPDX-License-Identifier: MIT
#include "kernel/usermode/carrier.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include <memory>
#include <new>

#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "base/short_lock.hpp"
#include "base/thread_sanitizer.hpp"
#include "kernel/usermode/thread_identity.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::kernel::usermode {

using libumcg::task;

namespace {

constexpr std::size_t loop_stack_bytes = std::size_t{64} << 10;

// Carriers that host nobody and are nobody's home, and loops that no carrier has. Never destroyed:
// both go on after static objects have gone.
struct reserve {
  base::short_lock lock;
  idle_loop* spares UMCG_GUARDED_BY(lock) = nullptr;
  idle_loop* loops UMCG_GUARDED_BY(lock) = nullptr;
  std::uint32_t made UMCG_GUARDED_BY(lock) = 0;
};
constinit reserve kept;

void push(idle_loop*& list, idle_loop& one) noexcept UMCG_REQUIRES(kept.lock) {
  one.next = list;
  list = &one;
}

idle_loop* pop(idle_loop*& list) noexcept UMCG_REQUIRES(kept.lock) {
  idle_loop* first = list;
  if (first != nullptr) list = first->next;
  return first;
}

// A child made by fork() has none of these threads.
void forget_all() noexcept {
  auto* fresh = new (&kept) reserve;
  static_cast<void>(fresh);
}

bool watches_forks() noexcept {
  static const bool watching = ::pthread_atfork(nullptr, nullptr, forget_all) == 0;
  return watching;
}

void call(carrier& idle) noexcept { base::set_and_wake(idle.called); }

// Continues the task that the carrier was called for. Returns what has left the carrier when it
// hosts nobody again.
task* host(idle_loop& loop) noexcept {
  carrier& here = *loop.on;
  task* const departed = here.departed;
  hosted& coming = of(*here.next);
  coming.on.pass_to(&here);
  base::release_order(&coming.saved);
  auto* left = static_cast<task*>(switch_context(&loop.saved, &coming.saved, departed));
  base::acquire_order(&loop.saved);
  return left;
}

// A server whose context is saved now continues at home, as soon as that hosts nobody.
void send_home(task& server) noexcept {
  carrier& home = of(server).own_carrier;
  home.next = &server;
  home.departed = nullptr;
  if (home.state.want()) call(home);
}

void wait_for_call(idle_loop& loop) noexcept {
  carrier& here = *loop.on;
  if (loop.is_spare) {
    base::short_guard guard(kept.lock);
    push(kept.spares, loop);
  } else if (!here.state.become_available()) {
    return;
  }
  base::sleep_until_set(here.called, deadline::never());
}

// `left`: who has just left the carrier, its registers saved; null on a new carrier.
[[noreturn]] void serve_carrier(idle_loop& loop, task* left) noexcept {
  for (;;) {
    if (left != nullptr) {
      if (left->kind == libumcg::task_kind::server) {
        send_home(*left);
      } else {
        libumcg::returned(*left);
      }
    }
    wait_for_call(loop);
    left = host(loop);
  }
}

// The loop of a home: a context like a created worker's, without a kernel thread of its own.
void* resting_main(void* argument) {
  auto& loop = *static_cast<idle_loop*>(argument);
  loop.saved.thread_pointer = __builtin_thread_pointer();
  give_up_kernel_identity();
  auto* left = static_cast<task*>(umcg_save_and_exit(&loop.saved, &loop.is_saved));
  base::acquire_order(&loop.saved);
  serve_carrier(loop, left);
}

// Signals meant for the process go to the program's own threads. Faults stay with the worker that
// makes them, and preemption needs a real-time signal.
void block_signals_of_others() noexcept {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    sigdelset(&blocked, fault);
  }
  for (int real_time = SIGRTMIN; real_time <= SIGRTMAX; ++real_time) {
    sigdelset(&blocked, real_time);
  }
  ::pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

void* spare_main(void* argument) {
  auto& loop = *static_cast<idle_loop*>(argument);
  block_signals_of_others();
  ::pthread_setname_np(::pthread_self(), "umcg-carrier");
  loop.saved.thread_pointer = __builtin_thread_pointer();
  loop.on->kernel_thread.store(static_cast<pid_t>(base::raw_syscall(SYS_gettid)));
  loop.on->thread_pointer.set_up();
  base::sleep_until_set(loop.on->called, deadline::never());
  serve_carrier(loop, host(loop));
}

bool start_thread(void* (*main)(void*), idle_loop& loop, carrier& here) noexcept {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, loop_stack_bytes);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  here.thread_pointer.tell_kernel();
  const int failed = ::pthread_create(&thread, &attributes, main, &loop);
  here.thread_pointer.keep_from_kernel();
  ::pthread_attr_destroy(&attributes);
  return failed == 0;
}

idle_loop* take_or_make_loop(carrier& here) noexcept {
  {
    base::short_guard guard(kept.lock);
    if (idle_loop* resting = pop(kept.loops)) return resting;
  }
  auto* made = new (std::nothrow) idle_loop;
  if (made == nullptr) return nullptr;
  if (!start_thread(resting_main, *made, here)) {
    delete made;
    return nullptr;
  }
  while (made->is_saved.load() == 0) base::futex_wait(made->is_saved, 0);
  return made;
}

bool count_one_more() noexcept {
  base::short_guard guard(kept.lock);
  if (kept.made == carriers_max) return false;
  ++kept.made;
  return true;
}

// A carrier that is made for its first call and is in no list until it has served that.
carrier* make_spare(carrier& here) noexcept {
  if (!count_one_more()) return nullptr;
  std::unique_ptr<idle_loop> loop(new (std::nothrow) idle_loop);
  std::unique_ptr<carrier> made(new (std::nothrow) carrier);
  if (loop != nullptr && made != nullptr) {
    loop->is_spare = true;
    loop->on = made.get();
    made->loop = loop.get();
    if (start_thread(spare_main, *loop, here)) {
      static_cast<void>(loop.release());  // the thread has it now
      return made.release();
    }
  }
  base::short_guard guard(kept.lock);
  --kept.made;
  return nullptr;
}

carrier* take_spare(carrier& here, task& server) noexcept {
  carrier& home = of(server).own_carrier;
  if (home.state.take()) return &home;
  {
    base::short_guard guard(kept.lock);
    if (idle_loop* spare = pop(kept.spares)) return spare->on;
  }
  return make_spare(here);
}

}  // namespace

bool hand_off(task& self, task& server) noexcept {
  carrier& here = *of(self).on.get();
  if (!watches_forks()) return false;
  if (here.loop == nullptr) {
    here.loop = take_or_make_loop(here);
    if (here.loop == nullptr) return false;
    here.loop->on = &here;
  }
  carrier* spare = take_spare(here, server);
  if (spare == nullptr) return false;
  spare->next = &server;
  spare->departed = &self;
  call(*spare);
  return true;
}

task* leave_carrier(task& self) noexcept {
  hosted& mine = of(self);
  idle_loop& loop = *mine.on.get()->loop;
  base::release_order(&loop.saved);
  auto* message = static_cast<task*>(switch_context(&mine.saved, &loop.saved, &self));
  base::acquire_order(&mine.saved);
  return message;
}

void return_home(task& server) noexcept {
  const hosted& mine = of(server);
  if (mine.on.get() != &mine.own_carrier) leave_carrier(server);
}

void release_loop(carrier& home) noexcept {
  if (home.loop == nullptr) return;
  base::short_guard guard(kept.lock);
  push(kept.loops, *home.loop);
  home.loop = nullptr;
}

}  // namespace umcg::kernel::usermode
