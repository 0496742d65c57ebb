// SPDX-License-Identifier: MIT
#include "kernel/usermode/carrier.hpp"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include <memory>
#include <new>
#include <utility>

#include "base/detached_thread.hpp"
#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "base/short_lock.hpp"
#include "base/signal_mask.hpp"
#include "base/thread_sanitizer.hpp"
#include "kernel/usermode/affinity.hpp"
#include "kernel/usermode/alternate_stack.hpp"
#include "kernel/usermode/recalls.hpp"
#include "kernel/usermode/spares.hpp"
#include "kernel/usermode/thread_identity.hpp"
#include "kernel/usermode/watch.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::kernel::usermode {

using libumcg::task;

namespace {

constexpr std::size_t stack_bytes = std::size_t{64} << 10;

// Carriers that no kernel thread is at the moment, for later ones. Never destroyed: used after
// static objects have gone.
struct unused_carriers {
  base::short_lock lock;
  carrier* homes UMCG_GUARDED_BY(lock) = nullptr;   // with their loops
  carrier* spares UMCG_GUARDED_BY(lock) = nullptr;  // likewise
};
constinit unused_carriers unused;

void keep(carrier*& list, carrier& one) noexcept UMCG_REQUIRES(unused.lock) {
  one.after = std::exchange(list, &one);
}

carrier* take(carrier*& list) noexcept UMCG_REQUIRES(unused.lock) {
  carrier* const first = list;
  if (first != nullptr) list = first->after;
  return first;
}

const std::uint32_t* own_cpu_number() noexcept {
  if (__rseq_size == 0) return nullptr;
  const char* const area = static_cast<const char*>(__builtin_thread_pointer()) + __rseq_offset;
  return &reinterpret_cast<const struct rseq*>(area)->cpu_id;
}

// The calling kernel thread is that carrier from now on.
void become(carrier& here) noexcept {
  here.kernel_thread.store(static_cast<pid_t>(base::raw_syscall(SYS_gettid)));
  here.status.open(here.kernel_thread);
  here.cpu.store(own_cpu_number());
  here.thread_pointer.set_up();
  set_up_alternate_stack();
}

void resign(carrier& here) noexcept {
  tear_down_alternate_stack();
  here.bound_to.store(-1);
  here.runs_as.store(0);
  here.thread_pointer.tear_down();
  here.cpu.store(nullptr);
  here.kernel_thread.store(0);
}

// Continues the task that the carrier was called for. Returns what has left the carrier when it
// hosts nobody again.
task* host(carrier& here) noexcept {
  idle_loop& loop = *here.loop;
  task* const departed = here.departed;
  hosted& coming = of(*here.next);
  coming.on.pass_to(&here);
  here.hosts.adopt(here.next, coming.watched);
  if (coming.watched != nullptr) coming.watched->on.store(&here);
  note_called(here);
  base::release_order(&coming.saved);
  auto* left = static_cast<task*>(switch_context(&loop.saved, &coming.saved, departed));
  base::acquire_order(&loop.saved);
  return left;
}

// A server whose context is saved now continues at home, as soon as that hosts nobody.
void send_home(task& server) noexcept {
  carrier& home = *of(server).home;
  home.next = &server;
  home.departed = nullptr;
  if (home.state.want()) call(home);
}

// What has just left a carrier, its registers saved.
void let_go(task& left) noexcept {
  if (left.kind == libumcg::task_kind::server) {
    send_home(left);
  } else {
    libumcg::returned(left);
  }
}

void await_call_home(carrier& here) noexcept {
  while (!here.calls.take()) base::futex_wait(here.calls.word(), call_state::none);
}

[[noreturn]] void serve_home(carrier& here, task* left) noexcept {
  for (;;) {
    let_go(*left);
    if (here.state.become_available()) await_call_home(here);
    left = host(here);
  }
}

// The loop of a home: a context like a created worker's, without a kernel thread of its own.
void* resting_main(void* argument) {
  auto& loop = *static_cast<idle_loop*>(argument);
  loop.saved.thread_pointer = __builtin_thread_pointer();
  give_up_kernel_identity();
  auto* left = static_cast<task*>(umcg_save_and_exit(&loop.saved, &loop.is_saved));
  base::acquire_order(&loop.saved);
  serve_home(*loop.on, left);
}

// False: it was to take a server that its worker has kept.
bool accepts_call(carrier& here) noexcept {
  const std::uint64_t token = std::exchange(here.token, 0);
  if (token == 0) return true;
  if (!libumcg::take_server(*here.departed, token, here.cause)) return false;
  note_lost_server(*of(*here.departed).on.get());
  // Bound to a CPU by the monitor, or when it is called: the next worker does not wait for that.
  keep_standby(*of(*here.next).watched, -1);
  return true;
}

void* spare_main(void* argument) {
  carrier& here = *static_cast<carrier*>(argument);
  const sigset_t others = base::signals_for_others();
  ::pthread_sigmask(SIG_SETMASK, &others, nullptr);
  base::name_this_thread("umcg-carrier");
  here.loop->saved.thread_pointer = __builtin_thread_pointer();
  become(here);
  if (std::exchange(here.begins_resting, false)) rest(here);
  while (await_call(here)) {
    if (accepts_call(here)) let_go(*host(here));
    // A worker may have left another mask here. (On a home it stays: that thread is the user's.)
    ::pthread_sigmask(SIG_SETMASK, &others, nullptr);
    rest(here);
  }
  resign(here);
  base::short_guard guard(unused.lock);
  keep(unused.spares, here);
  return nullptr;
}

bool start_thread(void* (*main)(void*), void* argument, carrier* here) noexcept {
  if (here != nullptr) here->thread_pointer.tell_kernel();
  const bool started = base::start_detached_thread(stack_bytes, main, argument) == 0;
  if (here != nullptr) here->thread_pointer.keep_from_kernel();
  return started;
}

// A carrier with a loop that has no stack yet.
carrier* make_carrier() noexcept {
  std::unique_ptr<idle_loop> loop(new (std::nothrow) idle_loop);
  std::unique_ptr<carrier> made(new (std::nothrow) carrier);
  if (loop == nullptr || made == nullptr) return nullptr;
  loop->on = made.get();
  made->loop = loop.release();
  return made.release();
}

carrier* take_unused(bool is_home) noexcept {
  base::short_guard guard(unused.lock);
  return take(is_home ? unused.homes : unused.spares);
}

carrier* take_or_make_home() noexcept {
  if (carrier* const resting = take_unused(true)) return resting;
  carrier* const made = make_carrier();
  if (made == nullptr) return nullptr;
  idle_loop& loop = *made->loop;
  if (start_thread(resting_main, &loop, nullptr)) {
    while (loop.is_saved.load() == 0) base::futex_wait(loop.is_saved, 0);
  } else {
    delete std::exchange(made->loop, nullptr);
  }
  return made;
}

// The server's home, or the spare that is kept for it and wakes on its CPU, or any.
carrier* spare_for(carrier& here, task& server) noexcept {
  carrier& home = *of(server).home;
  if (home.state.take()) return &home;
  carrier* const kept = of(server).watched != nullptr ? take_standby(*of(server).watched) : nullptr;
  if (kept != nullptr) return kept;
  carrier* const any = take_or_make_spare(here);
  return any != nullptr ? any : take_standby_of_parked();
}

}  // namespace

void forget_carriers() noexcept {
  auto* fresh = new (&unused) unused_carriers;
  static_cast<void>(fresh);
}

void call(carrier& idle) noexcept {
  idle.calls.call();
  base::futex_wake(idle.calls.word());
}

carrier* make_home(task& server) noexcept {
  carrier* const home = take_or_make_home();
  if (home == nullptr) return nullptr;
  become(*home);
  of(server).on.pass_to(home);
  home->hosts.adopt(&server, nullptr);
  return home;
}

void return_home(task& server) noexcept {
  const hosted& mine = of(server);
  if (mine.on.get() != mine.home) leave_carrier(server);
}

void give_back_home(carrier& home) noexcept {
  home.hosts.adopt(nullptr, nullptr);
  resign(home);
  base::short_guard guard(unused.lock);
  keep(unused.homes, home);
}

carrier* make_spare(carrier* here) noexcept {
  carrier* made = take_unused(false);
  if (made == nullptr) made = make_carrier();
  if (made == nullptr) return nullptr;
  made->begins_resting = here == nullptr;
  if (start_thread(spare_main, made, here)) return made;
  base::short_guard guard(unused.lock);
  keep(unused.spares, *made);
  return nullptr;
}

bool hand_off(task& self, task& server) noexcept {
  carrier& here = *of(self).on.get();
  if (here.loop == nullptr || !watches_forks()) return false;
  carrier* const spare = spare_for(here, server);
  if (spare == nullptr) return false;
  spare->next = &server;
  spare->departed = &self;
  call(*spare);
  return true;
}

task* leave_carrier(task& self) noexcept {
  hosted& mine = of(self);
  carrier& here = *mine.on.get();
  here.hosts.adopt(nullptr, nullptr);
  base::release_order(&here.loop->saved);
  auto* message = static_cast<task*>(switch_context(&mine.saved, &here.loop->saved, &self));
  base::acquire_order(&mine.saved);
  return message;
}

}  // namespace umcg::kernel::usermode
