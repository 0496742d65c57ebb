// SPDX-License-Identifier: MIT
#pragma once

// Carriers: kernel threads that host contexts. Which one hosts which is decided anew at every
// switch, with one exception: a server or worker that a user's thread registered ends on the kernel
// thread that it began on, its home.
//
// The hand-off. When a worker blocks its carrier, another carrier adopts its server, and the worker
// stays where it is: because it says so beforehand (hand_off), or because a watcher has seen it
// (watch.hpp). When the worker comes back, the carrier that it leaves hosts nobody and runs a loop
// of its own, on a stack of its own: a kernel thread that has given its first context away has none
// left to run on.

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernel/usermode/call_state.hpp"
#include "kernel/usermode/carrier_state.hpp"
#include "kernel/usermode/context.hpp"
#include "kernel/usermode/hosting_state.hpp"
#include "kernel/usermode/stack_slab.hpp"
#include "kernel/usermode/thread_pointer.hpp"
#include "kernel/usermode/thread_sample.hpp"
#include "libumcg/half.hpp"
#include "libumcg/task.hpp"
#include "umcg/counters.hpp"

namespace umcg::kernel::usermode {

struct idle_loop;
struct watch;

// Never freed, but used again for later kernel threads: a watcher may be late with a look at one.
struct carrier {
  std::atomic<pid_t> kernel_thread{0};             // fixed while it is a kernel thread's
  std::atomic<const std::uint32_t*> cpu{nullptr};  // where the kernel says which CPU it runs on
  thread_status status;
  hosted_state hosts;  // whom, and how often that has changed
  carrier_state state;
  carrier_thread_pointer thread_pointer;
  idle_loop* loop = nullptr;  // fixed: what it runs while it hosts nobody; a home may have none
  call_state calls;           // to host `next`
  // These pass from whoever calls it to itself.
  libumcg::task* next = nullptr;
  libumcg::task* departed = nullptr;
  std::uint64_t token = 0;  // not 0: only if it can take `next` from `departed`
  handoff_cause cause = handoff_cause::system_call;  // with a token
  // affinity.hpp
  std::atomic<int> bound_to{-1};          // one CPU
  std::atomic<std::uint64_t> runs_as{0};  // on the CPUs of the home of the server whose watch has
                                          // that number; 0: elsewhere
  std::atomic<bool> awaits_move{false};
  carrier* moved_after = nullptr;
  // recalls.hpp; what follows the flag is the monitor's while it is set.
  std::atomic<bool> is_noted{false};
  carrier* noted_after = nullptr;
  std::uint64_t switches_noted = 0;
  deadline::clock::time_point computes_since;
  // pending_signal.hpp
  std::atomic<std::uint32_t> signals_taken{0};  // by handlers here
  pid_t signalled =
      0;  // its kernel thread when the last was sent; this and the next: the monitor's
  std::uint32_t taken_before = 0;
  // Spares: guarded by the reserve's lock.
  carrier* after = nullptr;
  carrier* before = nullptr;
  bool rests = false;
  bool begins_resting = false;  // passes from whoever makes it to itself
};

// A context that rests on a carrier while that hosts nobody.
struct idle_loop {
  context saved;
  std::atomic<std::uint32_t> is_saved{0};
  carrier* on = nullptr;  // fixed: whose it is
};

// What this half keeps in a task.
struct hosted {
  context saved;
  hosting_state on;                        // passes with the switch
  std::atomic<std::uint32_t> is_saved{0};  // a new worker: its registers are in `saved`
  std::atomic<std::uint32_t> go_home{0};   // ends the sleep of the home kernel thread
  pthread_t thread{};                      // a created worker; fixed after create()
  stack own_stack;                         // likewise; a registered worker: its home's
  libumcg::half::entry_function entry = nullptr;
  carrier* home = nullptr;           // a server's kernel thread
  watch* watched = nullptr;          // a server: its watchers' view of it
  std::uint64_t signals_before = 0;  // a registered worker: its kernel thread's mask
};
static_assert(sizeof(hosted) <= sizeof(libumcg::task::half_storage));

inline hosted& of(libumcg::task& who) noexcept {
  return *reinterpret_cast<hosted*>(who.half_storage.data());
}

// The calling thread, which becomes a server, as a carrier. Null: no memory. It may lack a loop
// where a limit of the system says so; its server cannot be handed off then.
carrier* make_home(libumcg::task& server) noexcept;
// The caller's context is the server's, maybe elsewhere. Returns when it runs at home. Waits while
// a worker still blocks there.
void return_home(libumcg::task& server) noexcept;
// The home of a server that is one no longer.
void give_back_home(carrier& home) noexcept;

// Lets another carrier host `server`, whose context is saved, with `self` as the departed task. The
// caller is `self`, a worker, and goes on where it is. False: there is no other carrier to be had
// (carriers_max, or a limit of the system), and nothing has happened.
bool hand_off(libumcg::task& self, libumcg::task& server) noexcept;

// The caller, a worker that has lost its server, leaves its carrier, which then hosts nobody.
// Returns when somebody continues it, with what that one hands over.
libumcg::task* leave_carrier(libumcg::task& self) noexcept;

// A new carrier that is nobody's home; null at a limit of the system. `here`: the caller's carrier,
// and the new one waits for a first call by that; null: it puts itself to rest.
carrier* make_spare(carrier* here) noexcept;

// In a child made by fork(), which has none of these threads.
void forget_carriers() noexcept;

// Wakes a spare that has been told what to do.
void call(carrier& idle) noexcept;

}  // namespace umcg::kernel::usermode
