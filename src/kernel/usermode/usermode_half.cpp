// SPDX-License-Identifier: MIT
#include "kernel/usermode/usermode_half.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <new>

#include "base/assert.hpp"
#include "base/futex.hpp"
#include "base/own_memory.hpp"
#include "base/queue_signal.hpp"
#include "base/raw_syscall.hpp"
#include "base/thread_sanitizer.hpp"
#include "kernel/usermode/alternate_stack.hpp"
#include "kernel/usermode/carrier.hpp"
#include "kernel/usermode/context.hpp"
#include "kernel/usermode/spares.hpp"
#include "kernel/usermode/stack_slab.hpp"
#include "kernel/usermode/thread_identity.hpp"
#include "kernel/usermode/watch.hpp"
#include "libumcg/scheduling.hpp"
#include "libumcg/task.hpp"

namespace umcg::kernel::usermode {

using libumcg::task;

namespace {

// Not made anew: whoever comes late with a request for preemption still looks where it runs.
hosted& renew(task& who) noexcept {
  hosted& its = of(who);
  its.saved = {};
  its.on.pass_to(nullptr);
  its.is_saved.store(0);
  its.go_home.store(0);
  its.thread = {};
  its.own_stack = {};
  its.entry = nullptr;
  its.home = nullptr;
  its.watched = nullptr;
  its.signals_before = 0;
  return its;
}

// Stacks of one size lie at equal distances, and what a worker uses of its stack lies at the top:
// all of it would meet in the same few sets of a first-level cache. Each stack's top is lowered by
// another number of lines.
constexpr std::size_t cache_line = 64;
constexpr std::size_t colours = 8;

std::size_t colour_of(const task& worker) noexcept { return worker.slot % colours * cache_line; }

// For the C library's handler, on top of the frame that the kernel makes for it.
std::size_t home_stack_bytes() noexcept {
  constexpr long handler_bytes = 8192;
  static const long frame_bytes = std::max(::sysconf(_SC_MINSIGSTKSZ), 4096L);
  return static_cast<std::size_t>(frame_bytes + handler_bytes);
}

// The kernel thread that the caller runs on, if it is one that hosts contexts.
carrier* carrier_of_caller() noexcept {
  task* self = libumcg::current_task;
  return self != nullptr ? of(*self).on.get() : nullptr;
}

void* created_worker_main(void* argument) {
  task& self = *static_cast<task*>(argument);
  hosted& mine = of(self);
  mine.saved.thread_pointer = __builtin_thread_pointer();
  give_up_kernel_identity();
  auto* departed = static_cast<task*>(umcg_save_and_exit(&mine.saved, &mine.is_saved));
  base::acquire_order(&mine.saved);
  mine.entry(self, departed);
  return nullptr;
}

std::error_code make_error(int number) noexcept { return {number, std::system_category()}; }

class usermode_threads final : public libumcg::half {
 public:
  std::string_view name() const noexcept override { return "usermode"; }

  int attach(task& self) noexcept override {
    hosted& mine = renew(self);
    mine.saved.thread_pointer = __builtin_thread_pointer();
    mine.is_saved.store(self.kind == libumcg::task_kind::worker ? 0 : 1);
    if (self.kind == libumcg::task_kind::worker) attach_worker(mine);
    return self.kind == libumcg::task_kind::server ? attach_server(self, mine) : 0;
  }

  void detach(task& self) noexcept override {
    hosted& mine = of(self);
    if (self.kind == libumcg::task_kind::worker) {
      UMCG_ASSERT(mine.go_home.load() == 1);
      restore_signals(mine.signals_before);
      if (!mine.own_stack.empty()) stacks_.give_back(mine.own_stack);
    }
    if (self.kind == libumcg::task_kind::server) {
      return_home(self);
      if (mine.watched != nullptr) end_watch(*mine.watched);
      give_back_home(*mine.home);
    }
  }

  task* enter(task& self) noexcept override;
  void go_home(task& worker) noexcept override;
  std::error_code create(task& worker, std::size_t stack_size_bytes, entry_function entry) override;
  void retire(task& worker) noexcept override;

  task* switch_to(task& from, task& to, task* departed) noexcept override {
    hosted& leaving = of(from);
    hosted& coming = of(to);
    // Only a worker that has never run may still be on its way out of its own kernel thread.
    while (coming.is_saved.load() == 0) base::futex_wait(coming.is_saved, 0);
    carrier* const here = leaving.on.get();
    coming.on.pass_to(here);
    here->hosts.pass_to(&to);
    base::release_order(&coming.saved);
    auto* message = static_cast<task*>(switch_context(&leaving.saved, &coming.saved, departed));
    base::acquire_order(&leaving.saved);
    return message;
  }

  bool leave(task& self, task& server) noexcept override { return hand_off(self, server); }
  task* come_back(task& self) noexcept override { return leave_carrier(self); }

  std::string configure(const hand_off_options& options) override {
    return configure_watching(options);
  }

  bool sleep(task& self, deadline until) noexcept override {
    note_park(self);
    const bool roused = base::sleep_until_set(self.roused, until);
    note_unpark(self);
    return roused;
  }
  void note_park(task& self) noexcept override {
    if (watch* const mine = of(self).watched) usermode::note_park(*mine);
  }
  void note_unpark(task& self) noexcept override {
    if (watch* const mine = of(self).watched) usermode::note_unpark(*mine);
  }

  void rouse(task& sleeper) noexcept override { base::set_and_wake(sleeper.roused); }

  std::error_code interrupt(task& worker, siginfo_t& signal) noexcept override {
    const carrier* host = of(worker).on.look_after_request();
    if (host == nullptr) return {};
    return make_error(base::queue_signal(host->kernel_thread.load(), signal));
  }

  void took_signal(task& self) noexcept override {
    if (carrier* const here = of(self).on.get()) ++here->signals_taken;
  }

  // The carrier may be a server's that is none any more: its place in the task table is another's
  // by now, who is writing it.
  libumcg::whereabouts find(const task& copy) const noexcept override {
    const auto& its = *reinterpret_cast<const hosted*>(copy.half_storage.data());
    libumcg::whereabouts found;
    if (const carrier* host = its.on.get()) {
      base::read_own_value(reinterpret_cast<std::uintptr_t>(&host->kernel_thread),
                           found.kernel_thread);
    }
    if (its.is_saved.load() != 0 && its.saved.stack_pointer != nullptr) {
      found.frame = reinterpret_cast<std::uintptr_t>(its.saved.stack_pointer) + saved_frame_offset;
    }
    if (its.entry != nullptr) {
      found.stack_begin = reinterpret_cast<std::uintptr_t>(its.own_stack.data());
      found.stack_end = found.stack_begin + its.own_stack.size();
    }
    return found;
  }
  libumcg::carrier_counts carriers() const noexcept override {
    const spare_figures now = look_at_spares();
    return {.made = now.made, .spare = now.resting};
  }

 private:
  void attach_worker(hosted& mine) noexcept {
    std::error_code error;
    mine.own_stack = stacks_.take(home_stack_bytes(), error);
    block_signals(error ? taken_signals::none : taken_signals::c_library, mine.signals_before);
    forget_cpu_number();
  }
  static int attach_server(task& self, hosted& mine) noexcept {
    mine.home = make_home(self);
    if (mine.home == nullptr) return ENOMEM;
    if (mine.home->loop != nullptr) mine.watched = begin_watch(self);
    return 0;
  }

  stack_slabs stacks_;
};

// The home sleeps on a stack of its own for the one signal that it takes: the worker's is in use.
// Handlers of the user's are the worker's, and run when it is here again.
task* usermode_threads::enter(task& self) noexcept {
  hosted& mine = of(self);
  void* const stack_end = mine.own_stack.empty() ? __builtin_frame_address(0)
                                                 : mine.own_stack.data() + mine.own_stack.size();
  auto* departed =
      static_cast<task*>(umcg_save_and_stay(&mine.saved, &mine.is_saved, &mine.go_home, stack_end));
  base::acquire_order(&mine.saved);
  return departed;
}

void usermode_threads::go_home(task& worker) noexcept {
  hosted& its = of(worker);
  base::release_order(&its.saved);
  its.go_home.store(1);
  base::futex_wake(its.go_home);
}

int start_thread(pthread_t& made, const pthread_attr_t& attributes, task& worker) noexcept {
  if (thread_pointer_method_in_use() != thread_pointer_method::restored) {
    return ::pthread_create(&made, &attributes, created_worker_main, &worker);
  }
  // The carrier stays the same between the two.
  const libumcg::preempt_guard library_code(libumcg::current_task);
  carrier* host = carrier_of_caller();
  if (host != nullptr) host->thread_pointer.tell_kernel();
  const int failed = ::pthread_create(&made, &attributes, created_worker_main, &worker);
  if (host != nullptr) host->thread_pointer.keep_from_kernel();
  return failed;
}

std::error_code usermode_threads::create(task& worker, std::size_t stack_size_bytes,
                                         entry_function entry) {
  hosted& its = renew(worker);
  its.entry = entry;
  std::error_code error;
  its.own_stack = stacks_.take(stack_size_bytes + colours * cache_line, error);
  if (error) return error;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  int failed = ::pthread_attr_setstack(&attributes, its.own_stack.data(),
                                       its.own_stack.size() - colour_of(worker));
  if (failed == 0) failed = start_thread(its.thread, attributes, worker);
  ::pthread_attr_destroy(&attributes);
  if (failed != 0) {
    stacks_.give_back(its.own_stack);
    return make_error(failed);
  }
  // Shorter than a hand-off: the new thread depends on nobody.
  const libumcg::preempt_guard library_code(libumcg::current_task);
  while (its.is_saved.load() == 0) base::futex_wait(its.is_saved, 0);
  return {};
}

// The thread ends the way every thread does, on a kernel thread of its own: its thread_local
// destructors run and the kernel clears its TID field, which is what pthread_join waits for.
void usermode_threads::retire(task& worker) noexcept {
  hosted& its = of(worker);
  base::release_order(&its.saved);
  const long made = umcg_continue_on_new_thread(&its.saved, nullptr, thread_id_field(its.thread));
  // At a limit on threads the worker stays as it is, stopped for ever: its memory is the price,
  // nothing refers to it.
  if (made < 0) return;
  ::pthread_join(its.thread, nullptr);
  stacks_.give_back(its.own_stack);
}

}  // namespace

libumcg::half* usermode_half(std::string& problem) {
  problem = examine_machine();
  if (!problem.empty()) return nullptr;
  // Never destroyed: threads may still be tasks while static objects go.
  static usermode_threads* const the_half = new usermode_threads;
  return the_half;
}

}  // namespace umcg::kernel::usermode
