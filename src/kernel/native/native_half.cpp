// SPDX-License-Identifier: MIT
// The kernel's rules, which the comments below refer to:
//   server   a running, unlocked worker's next_tid is its server, and that server is idle
//   own      no user code runs on an idle, unlocked worker; none on a running, locked one
//   once     a worker is claimed (idle to running|locked) only when the kernel has unlocked it and
//            it is out of the kernel's idle list
//   locked   what a worker does while idle|locked is no business of the kernel's
#include "kernel/native/native_half.hpp"

#include <pthread.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/futex.hpp"
#include "base/queue_signal.hpp"
#include "base/raw_syscall.hpp"
#include "kernel/native/handshake.hpp"
#include "kernel/native/idle_list.hpp"
#include "kernel/native/signals_kept.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::kernel::native {

using libumcg::task;
using libumcg::task_kind;

namespace {

// What this half keeps in a task.
struct threaded {
  kernel_task kernel;  // first: the idle list knows a worker by its address
  task* self = nullptr;
  // What whoever continues this task hands to it; passes with the turn.
  task* departed = nullptr;
  // A server's: the worker to go on with when `departed` is committed; and the one that runs now.
  task* follower = nullptr;
  task* runs = nullptr;
  libumcg::half::entry_function entry = nullptr;
  pthread_t thread{};                          // a created worker; fixed after create()
  std::atomic<std::int32_t> kernel_thread{0};  // fixed once the thread is a task
  std::atomic<std::uint32_t> entered{0};       // a worker: the kernel has listed it once
  // The kernel stopped it in the middle of the user's code. Passes with the worker.
  bool in_user_code = false;
  bool slept = false;  // own thread: while locked, so the kernel has lost sight of it
};
static_assert(sizeof(threaded) <= sizeof(task::half_storage));

threaded& of(task& who) noexcept { return *reinterpret_cast<threaded*>(who.half_storage.data()); }

threaded& renew(task& who) noexcept {
  threaded& made = *new (who.half_storage.data()) threaded;
  made.self = &who;
  return made;
}

std::int32_t own_kernel_thread() noexcept {
  return static_cast<std::int32_t>(base::raw_syscall(SYS_gettid));
}

std::uint32_t name_of(threaded& who) noexcept {
  return static_cast<std::uint32_t>(who.kernel_thread.load());
}

std::error_code make_error(int number) noexcept { return {number, std::system_category()}; }

// Library code has slept, maybe on a worker.
void may_have_slept() noexcept {
  task* self = libumcg::current_task;
  if (self != nullptr && self->notices_blocking) of(*self).slept = true;
}

// On the idle list's thread. A worker that has registered can be claimed now. One that has come
// back from a sleep goes the way of every worker that returns to the servers: to libumcg's list.
void taken_from_kernel(kernel_task& worker) {
  threaded& its = reinterpret_cast<threaded&>(worker);
  if (its.entered.load() == 0) {
    its.entered.store(1);
    base::futex_wake(its.entered, INT32_MAX);
    return;
  }
  its.in_user_code = true;
  libumcg::returned(*its.self);
}

class native final : public libumcg::half {
 public:
  explicit native(system_calls& calls) noexcept : calls_(calls), idle_(calls, taken_from_kernel) {}

  std::error_code open() noexcept { return idle_.open(); }

  std::string_view name() const noexcept override { return "native"; }

  int attach(task& self) noexcept override;
  void detach(task& self) noexcept override;
  task* enter(task& self) noexcept override;
  void go_home(task& worker) noexcept override;
  std::error_code create(task& worker, std::size_t stack_size_bytes, entry_function entry) override;
  void retire(task& worker) noexcept override;
  task* switch_to(task& from, task& to, task* departed) noexcept override;

  bool leave(task& self, task& server) noexcept override;
  task* come_back(task& self) noexcept override;

  bool sleep(task& self, deadline until) noexcept override {
    return base::sleep_until_set(self.roused, until);
  }
  void rouse(task& sleeper) noexcept override { base::set_and_wake(sleeper.roused); }

  std::error_code interrupt(task& worker, siginfo_t& signal) noexcept override {
    return make_error(base::queue_signal(of(worker).kernel_thread.load(), signal));
  }

  std::string configure(const hand_off_options& /*options*/) override {
    return "hand-off by the kernel";
  }
  void ignore_blocking(task& self) noexcept override;
  void notice_blocking(task& self) noexcept override;

 private:
  static void* created_worker_main(void* argument);
  void prepare_worker(threaded& its) noexcept;
  task* await_turn(task& self) noexcept;
  task* arrive(task& self) noexcept;
  task* serve(task& self, task& first) noexcept;
  std::uint32_t start(threaded& server, task& worker, task* departed) noexcept;
  std::uint32_t hand_place(threaded& mine, task& to, task* departed) noexcept;
  void wake(threaded& mine, std::uint32_t name, std::uint32_t flags) noexcept;
  void wake_from_here(std::uint32_t name) noexcept;

  system_calls& calls_;
  idle_list idle_;
};

// --- registration ---

// Before a worker registers: blocked, next_tid 0, and the list and the slot, without which the
// kernel kills it when it first comes back.
void native::prepare_worker(threaded& its) noexcept {
  UMCG_ASSERT(!idle_.open());
  its.kernel.state.begin(kernel_state::blocked);
  idle_.bind(its.kernel);
}

int native::attach(task& self) noexcept {
  threaded& mine = renew(self);
  mine.kernel_thread.store(own_kernel_thread());
  if (self.kind == task_kind::worker) prepare_worker(mine);  // registers in enter()
  if (self.kind != task_kind::server) return 0;
  mine.kernel.state.begin(kernel_state::running);
  UMCG_ASSERT(calls_.ctl(register_thread, &mine.kernel) == 0);
  return 0;
}

// A worker is idle|locked here, sent home: the kernel neither looks at the state of a thread that
// unregisters nor wakes its server.
void native::detach(task& self) noexcept {
  if (self.kind == task_kind::basic) return;
  self.notices_blocking = false;
  UMCG_ASSERT(calls_.ctl(unregister_thread, nullptr) == 0);
}

// The kernel lists the worker and holds it inside the call until it is run.
task* native::enter(task& self) noexcept {
  const signals_kept until_it_is_run;
  UMCG_ASSERT(calls_.ctl(register_thread | as_worker, &of(self).kernel) == 0);
  return arrive(self);
}

void* native::created_worker_main(void* argument) {
  task& self = *static_cast<task*>(argument);
  threaded& mine = of(self);
  auto& half = static_cast<native&>(*self.plug.load());
  mine.kernel_thread.store(own_kernel_thread());
  mine.entry(self, half.enter(self));
  half.detach(self);
  return nullptr;
}

std::error_code native::create(task& worker, std::size_t stack_size_bytes, entry_function entry) {
  // This kernel takes no worker's server away while it makes a thread.
  const libumcg::preempt_guard library_code(libumcg::current_task);
  threaded& its = renew(worker);
  its.entry = entry;
  prepare_worker(its);
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  int failed = ::pthread_attr_setstacksize(&attributes, stack_size_bytes);
  if (failed == 0) {
    failed = ::pthread_create(&its.thread, &attributes, created_worker_main, &worker);
  }
  ::pthread_attr_destroy(&attributes);
  may_have_slept();
  return make_error(failed);
}

void native::retire(task& worker) noexcept {
  go_home(worker);
  ::pthread_join(of(worker).thread, nullptr);
}

// The worker sleeps or is about to, unlocked by the kernel; locked again it may run without a
// server (locked), until it unregisters.
void native::go_home(task& worker) noexcept {
  threaded& its = of(worker);
  const std::uint32_t name = name_of(its);
  its.departed = nullptr;
  while (!its.kernel.state.send_home()) {
    base::give_way();
    may_have_slept();
  }
  wake_from_here(name);
}

// --- library code on a worker ---

// A worker that the kernel stopped in here would be held with the locks it owns, which servers
// need. After arrive() the word is locked already.
void native::ignore_blocking(task& self) noexcept {
  threaded& mine = of(self);
  if (!mine.kernel.state.is_locked()) mine.kernel.state.lock();
}

// (server): named before the word is unlocked; it sleeps in serve() for as long as we are here.
void native::notice_blocking(task& self) noexcept {
  threaded& mine = of(self);
  mine.kernel.next_tid.store(name_of(of(*self.server)));
  mine.kernel.state.unlock();
  // The kernel lets go of the pages it needs to see a sleep when a locked worker sleeps, and takes
  // hold of them again only when it lets a running one return to its own code.
  if (std::exchange(mine.slept, false)) calls_.reschedule();
}

// --- switching ---

// Lets `worker` go on under `server`, whose thread is idle. (once): claimed when it is at rest.
// (server): next_tid before the release, and from then on the worker may run, even before its wake,
// and be gone. Returns whom to wake.
std::uint32_t native::start(threaded& server, task& worker, task* departed) noexcept {
  threaded& its = of(worker);
  while (its.entered.load() == 0) base::futex_wait(its.entered, 0);
  while (!its.kernel.state.claim()) base::give_way();
  // One that the kernel stopped may have been on its way to commit what it was handed before.
  if (!std::exchange(its.in_user_code, false)) its.departed = departed;
  its.kernel.next_tid.store(name_of(server));
  const std::uint32_t name = name_of(its);
  its.kernel.state.release();
  return name;
}

// On a server's thread, for as long as its place belongs to workers. The server is idle before the
// first of them is released (server), and whoever has the place steps in for it or, when the kernel
// stops a worker, the kernel does; in the latter case nobody has left word.
task* native::serve(task& self, task& first) noexcept {
  threaded& mine = of(self);
  const signals_kept while_idle;
  for (task* worker = &first;;) {
    mine.departed = nullptr;
    mine.runs = worker;
    mine.kernel.state.step_aside();
    mine.kernel.next_tid.store(start(mine, *worker, nullptr));
    while (mine.kernel.state.place() == kernel_state::idle) {
      calls_.wait(0);  // ESRCH: the worker has come and gone, and the loop ends
      mine.kernel.next_tid.store(0);
    }
    if (mine.departed == nullptr) {
      // Library code is never stopped, so the worker is not between reasons of its own.
      mine.runs->why = libumcg::stop::blocked;
      return mine.runs;
    }
    worker = std::exchange(mine.follower, nullptr);
    if (worker == nullptr) return mine.departed;
    libumcg::commit(mine.departed);
    // This server is not about to take what that may have listed.
    if (!self.serving->queue.empty()) libumcg::summon_one(*self.in);
  }
}

// The place of the calling worker, which is locked, goes to `to`: a server or a worker of the same.
// A worker that the kernel stopped goes on in the middle of user code and can commit nobody's
// departure: there the server steps in, commits, and lets it go on. Returns whom to wake.
std::uint32_t native::hand_place(threaded& mine, task& to, task* departed) noexcept {
  UMCG_ASSERT(mine.kernel.state.is_locked());
  const bool to_server = to.kind == task_kind::server;
  threaded& server = of(to_server ? to : *to.server);
  if (!to_server && !of(to).in_user_code) {
    server.runs = &to;
    return start(server, to, departed);
  }
  const std::uint32_t name = name_of(server);
  server.departed = departed;
  server.follower = to_server ? nullptr : &to;
  server.kernel.state.step_in();
  return name;
}

task* native::switch_to(task& from, task& to, task* departed) noexcept {
  if (from.kind == task_kind::server) return serve(from, to);
  threaded& mine = of(from);
  mine.kernel.next_tid.store(hand_place(mine, to, departed));
  return await_turn(from);
}

// (own): the kernel unlocks the word, wakes next_tid, and returns when the worker is released or
// sent home. If it finds nobody there - woken early, and gone since - it returns at once, and the
// worker is idle outside the kernel for as long as it takes to go back in. Unless it has been
// claimed meanwhile: umcg_wait would take the claimer's lock off, other calls return only when the
// claimer has.
task* native::await_turn(task& self) noexcept {
  threaded& mine = of(self);
  kernel_state& state = mine.kernel.state;
  const signals_kept until_it_is_run;
  for (long result = calls_.wait(0);;) {
    if (state.place() == kernel_state::running) return arrive(self);
    if (state.is_locked()) return mine.departed;
    UMCG_ASSERT(result == -ESRCH || result == -EINTR);
    if (state.lock_again()) {
      mine.kernel.next_tid.store(0);
      result = calls_.wait(0);
    } else {
      calls_.reschedule();
    }
  }
}

// What follows commits somebody's departure: library code. The kernel has just taken hold of the
// pages it needs, and this does not make it let go.
task* native::arrive(task& self) noexcept {
  threaded& mine = of(self);
  mine.kernel.state.lock();
  mine.slept = false;
  self.notices_blocking = true;
  return mine.departed;
}

// --- without a server ---

// The worker stays idle|locked: until it comes back the kernel does not care where it sleeps
// (locked).
bool native::leave(task& self, task& server) noexcept {
  threaded& mine = of(self);
  wake(mine, hand_place(mine, server, &self), on_this_cpu);
  return true;
}

task* native::come_back(task& self) noexcept {
  libumcg::returned(self);
  return await_turn(self);
}

// With the calling thread's next_tid, which means something only while it is running and unlocked.
// ESRCH: woken early, and gone since.
void native::wake(threaded& mine, std::uint32_t name, std::uint32_t flags) noexcept {
  mine.kernel.next_tid.store(name);
  const long result = calls_.wait(wake_only | flags);
  UMCG_ASSERT(result == 0 || result == -ESRCH);
  mine.kernel.next_tid.store(0);
}

// The kernel wakes only for threads that are registered; whoever retires a worker may be any.
void native::wake_from_here(std::uint32_t name) noexcept {
  task* self = libumcg::current_task;
  if (self != nullptr && self->plug.load() == this && self->kind != task_kind::basic) {
    const libumcg::preempt_guard guard(self);
    wake(of(*self), name, 0);
    return;
  }
  threaded visitor;
  visitor.kernel.state.begin(kernel_state::running);
  UMCG_ASSERT(calls_.ctl(register_thread, &visitor.kernel) == 0);
  wake(visitor, name, 0);
  UMCG_ASSERT(calls_.ctl(unregister_thread, nullptr) == 0);
}

}  // namespace

libumcg::half* make_native_half(system_calls& calls, std::string& problem) {
  problem = examine_kernel(calls);
  if (!problem.empty()) return nullptr;
  auto* made = new native(calls);
  if (const std::error_code error = made->open()) {
    problem = "no thread for the kernel's idle list: " + error.message();
    delete made;
    return nullptr;
  }
  return made;
}

libumcg::half* native_half(std::string& problem) {
  static std::string why_not;
  static libumcg::half* const the_half = []() -> libumcg::half* {
    call_numbers numbers;
    if (!read_numbers(std::getenv(numbers_variable), numbers, why_not)) return nullptr;
    static system_calls& calls = calls_by_number(numbers);
    return make_native_half(calls, why_not);
  }();
  problem = why_not;
  return the_half;
}

}  // namespace umcg::kernel::native
