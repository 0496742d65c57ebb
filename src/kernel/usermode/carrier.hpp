// SPDX-License-Identifier: MIT
#pragma once

// Carriers: kernel threads that host contexts. Which one hosts which is decided anew at every
// switch, with one exception: a server or worker that a user's thread registered ends on the kernel
// thread that it began on, its home.
//
// The hand-off. A worker that is about to block its carrier calls a spare carrier to adopt its
// server, and stays where it is. When it comes back, the carrier that it leaves hosts nobody and
// runs a loop of its own, on a stack of its own: a kernel thread that has given its first context
// away has none left to run on.

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernel/usermode/carrier_state.hpp"
#include "kernel/usermode/context.hpp"
#include "kernel/usermode/hosting_state.hpp"
#include "kernel/usermode/stack_slab.hpp"
#include "kernel/usermode/thread_pointer.hpp"
#include "libumcg/half.hpp"
#include "libumcg/task.hpp"

namespace umcg::kernel::usermode {

struct idle_loop;

struct carrier {
  std::atomic<pid_t> kernel_thread{0};  // fixed
  carrier_state state;
  carrier_thread_pointer thread_pointer;
  idle_loop* loop = nullptr;             // what it runs while it hosts nobody
  std::atomic<std::uint32_t> called{0};  // 1: it is to host `next` now
  // Both pass from whoever calls it to itself.
  libumcg::task* next = nullptr;
  libumcg::task* departed = nullptr;
};

// A context that rests on a carrier while that hosts nobody.
struct idle_loop {
  context saved;
  std::atomic<std::uint32_t> is_saved{0};
  carrier* on = nullptr;      // whose it is
  bool is_spare = false;      // fixed: its carrier is nobody's home and waits in the list of spares
  idle_loop* next = nullptr;  // in a list
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
  carrier own_carrier;               // a server's or basic task's kernel thread
  std::uint64_t signals_before = 0;  // a registered worker: its kernel thread's mask
};
static_assert(sizeof(hosted) <= sizeof(libumcg::task::half_storage));

inline hosted& of(libumcg::task& who) noexcept {
  return *reinterpret_cast<hosted*>(who.half_storage.data());
}

// On a carrier that is the home of a server: the server's context is the caller, maybe elsewhere.
// Returns when it runs at home. Waits while a worker still blocks there.
void return_home(libumcg::task& server) noexcept;
// The home of a server that is one no longer keeps no loop.
void release_loop(carrier& home) noexcept;

// Lets another carrier host `server`, whose context is saved, with `self` as the departed task. The
// caller is `self`, a worker, and goes on where it is. False: there is no other carrier to be had
// (carriers_max, or a limit of the system), and nothing has happened.
bool hand_off(libumcg::task& self, libumcg::task& server) noexcept;

// The caller, a worker that handed its server off, leaves its carrier, which then hosts nobody.
// Returns when somebody continues it, with what that one hands over.
libumcg::task* leave_carrier(libumcg::task& self) noexcept;

// How many carriers this process may have beside those that users' threads are.
constexpr std::uint32_t carriers_max = 1024;

}  // namespace umcg::kernel::usermode
