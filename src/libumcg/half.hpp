// SPDX-License-Identifier: MIT
#pragma once

// The plug between libumcg and whatever plays the kernel's part: what it takes to stop one task and
// continue another. libumcg decides who runs and keeps every state word; a half moves execution. It
// is declared here, where it is used, and implemented in src/kernel/.

#include <signal.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/hand_off.hpp"

namespace umcg::libumcg {

struct task;

// Where a task's thread is, for diagnosis.
struct whereabouts {
  pid_t kernel_thread = 0;  // the one that runs the task, or ran it last; 0: none
  // A task whose registers are saved: the address of its frame pointer, beside its return address,
  // as in every frame on its stack. 0: its registers are with the kernel thread.
  std::uintptr_t frame = 0;
  std::uintptr_t stack_begin = 0;  // 0: not known
  std::uintptr_t stack_end = 0;
};

struct carrier_counts {
  std::uint32_t made = 0;   // beside the servers' own kernel threads
  std::uint32_t spare = 0;  // of these: host nobody
};

class half {
 public:
  virtual ~half() = default;

  virtual std::string_view name() const noexcept = 0;

  // The calling thread becomes a task of the kind that `self` says: it can sleep, be roused, be
  // switched away from. Where a worker leaves its kernel thread, every signal is blocked on that
  // from here to detach(). Returns 0 or an error number (no memory).
  virtual int attach(task& self) noexcept = 0;
  virtual void detach(task& self) noexcept = 0;

  // The calling thread, attached as a worker, stops; its kernel thread stays asleep (its home)
  // until go_home(). Returns when the worker is first switched to, with what switch_to() returns.
  // The worker may be in the idle workers list before the call: switch_to() waits for it to be
  // saved.
  virtual task* enter(task& self) noexcept = 0;
  // Gives `worker`, which has departed, its home thread back: the worker continues there, outside
  // any server.
  virtual void go_home(task& worker) noexcept = 0;

  // Makes a worker without a kernel thread: a thread that will call entry(worker, what switch_to()
  // returned) when it is first switched to. Takes locks of the C library, so a worker calls it
  // outside of library code: it may lose its server meanwhile. Errors: not_enough_memory,
  // resource_unavailable_try_again (a limit of the system).
  using entry_function = void (*)(task& worker, task* departed);
  virtual std::error_code create(task& worker, std::size_t stack_size_bytes,
                                 entry_function entry) = 0;
  // Ends a worker made by create() that has departed for good and whose entry function is to
  // return: its thread_local destructors run, its stack is free again. Blocks the calling thread
  // for that long.
  virtual void retire(task& worker) noexcept = 0;

  // Saves the caller, which is `from`, and continues `to` on this kernel thread. `departed` is
  // handed to `to`: the task whose departure is to be committed now that its registers are saved,
  // or null. Returns the same from whoever continues `from`, maybe on another kernel thread.
  virtual task* switch_to(task& from, task& to, task* departed) noexcept = 0;

  // `self`, a running worker, goes on without its server: leave() lets `server`, which is saved,
  // continue elsewhere, handed `self` as the departed task, and returns at once. False: it cannot,
  // and nothing has happened. come_back() calls returned(self) when the worker may be switched to,
  // and returns what switch_to() would when it is.
  virtual bool leave(task& /*self*/, task& /*server*/) noexcept { return false; }
  virtual task* come_back(task& /*self*/) noexcept { return nullptr; }

  // Where the half notices by itself that a worker blocks its kernel thread
  // (task::notices_blocking) it takes the worker for blocked and returns its server from
  // switch_to(), but not while library code runs: between these two, on the worker's own thread.
  virtual void ignore_blocking(task& /*self*/) noexcept {}
  virtual void notice_blocking(task& /*self*/) noexcept {}

  // How workers that block without a word lose their servers, from now on. Returns what came of it,
  // a clause for the log.
  virtual std::string configure(const hand_off_options& /*options*/) {
    return "hand-off in blocking regions only";
  }

  // `self`, a server, sleeps somewhere else than in sleep() between these two.
  virtual void note_park(task& /*self*/) noexcept {}
  virtual void note_unpark(task& /*self*/) noexcept {}

  // Sleeps until rouse() or the deadline (false). A rouse before the sleep is not lost; at most one
  // is remembered.
  virtual bool sleep(task& self, deadline until) noexcept = 0;
  virtual void rouse(task& sleeper) noexcept = 0;

  // Sends the signal to the kernel thread that runs `worker`. A worker that runs on none, because
  // it has stopped or is on its way in, looks at the request by itself. Errors:
  // resource_unavailable_try_again (the system's limit on queued signals).
  virtual std::error_code interrupt(task& worker, siginfo_t& signal) noexcept = 0;

  // `self` has taken a preemption signal, on the kernel thread that it was sent to. In its handler.
  virtual void took_signal(task& /*self*/) noexcept {}

  // For diagnosis, by any thread, without a lock. `copy` is a copy of a task at some moment of its
  // life.
  virtual whereabouts find(const task& /*copy*/) const noexcept { return {}; }
  virtual carrier_counts carriers() const noexcept { return {}; }
};

// The half that the C API and, unless told otherwise, every group uses, chosen at the first call;
// null when none works on this machine. `reason` says which one and why, or what is missing.
// Defined by the kernel layer.
half* default_half() noexcept;
const char* default_half_reason() noexcept;
// Makes the half of that name the default. Returns 0 or an error number; see
// umcg_use_kernel_half().
int choose_default_half(std::string_view name) noexcept;

}  // namespace umcg::libumcg
