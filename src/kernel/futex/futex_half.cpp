// SPDX-License-Identifier: MIT
#include "kernel/futex/futex_half.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <new>
#include <utility>

#include "base/futex.hpp"
#include "base/queue_signal.hpp"
#include "base/raw_syscall.hpp"
#include "base/signal_mask.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::kernel::futex {

using libumcg::task;

namespace {

// What this half keeps in a task.
struct threaded {
  // 1: the thread may go on, with `departed`. Set by whoever continues it, taken by itself.
  std::atomic<std::uint32_t> turn{0};
  task* departed = nullptr;                    // passes with the turn
  std::atomic<std::int32_t> kernel_thread{0};  // fixed once the thread is a task
  pthread_t thread{};                          // a created worker; fixed after create()
  libumcg::half::entry_function entry = nullptr;
};
static_assert(sizeof(threaded) <= sizeof(task::half_storage));

threaded& of(task& who) noexcept { return *reinterpret_cast<threaded*>(who.half_storage.data()); }

threaded& renew(task& who) noexcept { return *new (who.half_storage.data()) threaded; }

pid_t own_kernel_thread() noexcept { return static_cast<pid_t>(base::raw_syscall(SYS_gettid)); }

void give_turn(task& to, task* departed) noexcept {
  threaded& its = of(to);
  its.departed = departed;
  its.turn.store(1);
  base::futex_wake(its.turn);
}

// A signal ends the sleep in the kernel, not the wait: its handler runs and the loop goes on.
task* await_turn(task& self) noexcept {
  threaded& mine = of(self);
  while (mine.turn.exchange(0) == 0) base::futex_wait(mine.turn, 0);
  return mine.departed;
}

void* created_worker_main(void* argument) {
  task& self = *static_cast<task*>(argument);
  threaded& mine = of(self);
  base::leave_signals_to_others();
  mine.kernel_thread.store(own_kernel_thread());
  mine.entry(self, await_turn(self));
  return nullptr;
}

std::error_code make_error(int number) noexcept { return {number, std::system_category()}; }

class futex final : public libumcg::half {
 public:
  std::string_view name() const noexcept override { return "futex"; }

  int attach(task& self) noexcept override {
    renew(self).kernel_thread.store(own_kernel_thread());
    return 0;
  }
  void detach(task& /*self*/) noexcept override {}

  task* enter(task& self) noexcept override { return await_turn(self); }
  void go_home(task& worker) noexcept override { give_turn(worker, nullptr); }

  std::error_code create(task& worker, std::size_t stack_size_bytes,
                         entry_function entry) override {
    threaded& its = renew(worker);
    its.entry = entry;
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    int failed = ::pthread_attr_setstacksize(&attributes, stack_size_bytes);
    if (failed == 0) {
      failed = ::pthread_create(&its.thread, &attributes, created_worker_main, &worker);
    }
    ::pthread_attr_destroy(&attributes);
    return make_error(failed);
  }

  void retire(task& worker) noexcept override {
    give_turn(worker, nullptr);
    ::pthread_join(of(worker).thread, nullptr);
  }

  task* switch_to(task& from, task& to, task* departed) noexcept override {
    give_turn(to, departed);
    return await_turn(from);
  }

  bool leave(task& self, task& server) noexcept override {
    give_turn(server, &self);
    return true;
  }
  task* come_back(task& self) noexcept override {
    libumcg::returned(self);
    return await_turn(self);
  }

  bool sleep(task& self, deadline until) noexcept override {
    return base::sleep_until_set(self.roused, until);
  }
  void rouse(task& sleeper) noexcept override { base::set_and_wake(sleeper.roused); }

  libumcg::whereabouts find(const task& copy) const noexcept override {
    const auto& its = *reinterpret_cast<const threaded*>(copy.half_storage.data());
    return {.kernel_thread = its.kernel_thread.load()};
  }

  std::error_code interrupt(task& worker, siginfo_t& signal) noexcept override {
    return make_error(base::queue_signal(of(worker).kernel_thread.load(), signal));
  }
};

}  // namespace

libumcg::half& futex_half() {
  // Never destroyed: threads may still be tasks while static objects go.
  static futex* const the_half = new futex;
  return *the_half;
}

}  // namespace umcg::kernel::futex
