// SPDX-License-Identifier: MIT
#pragma once

// The kernel's idle list: workers that have come back from a system call or a page fault that
// blocked, and those that have just registered. The kernel pushes them, wakes the thread named in
// the idle server slot, and holds them until they are run. One thread of ours stands in that slot,
// for all groups, and does nothing but to hand on what it finds.
//
// It is the only one to name itself in the slot and to empty the list, which leaves little to
// prove. It steps aside, names itself, looks at the list; the kernel pushes, takes the name, wakes
// whose it is. Each side stores and then loads, so one of the two sees the other. And whoever takes
// the name out ends the sleep: if the kernel was first, its wake is waited for.
//
// Rejected: servers in the slot, which is how the patches mean it. It holds one, so others have to
// be chained; a server that finds work itself while the kernel has its name must still wait for
// that wake; and one that sleeps in its reactor is not woken at all. The price is one more switch
// for each worker that comes back.

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <system_error>

#include "kernel/native/system_calls.hpp"

namespace umcg::kernel::native {

class idle_list {
 public:
  // `taken` is called for each worker, oldest first, on the thread that empties the list.
  idle_list(system_calls& calls, void (*taken)(kernel_task& worker)) noexcept
      : calls_(calls), taken_(taken) {}

  // Starts that thread, once in each process: a forked child has none of its parent's threads.
  // Errors: those of making threads.
  std::error_code open() noexcept;

  // What a worker that registers tells the kernel.
  void bind(kernel_task& worker) noexcept;

 private:
  static void* run(void* self) noexcept;
  void serve() noexcept;
  std::uint64_t take_all() noexcept;
  void hand_on(std::uint64_t node) noexcept;

  system_calls& calls_;
  void (*const taken_)(kernel_task& worker);
  std::atomic<std::uint64_t> head_{0};         // address of the newest worker's `idle_workers`
  std::atomic<std::uint32_t> idle_server_{0};  // our thread's id while it sleeps or is about to
  kernel_task self_;                           // our thread's
  std::atomic<pid_t> open_in_{0};              // the process; negative while it is being opened
};

}  // namespace umcg::kernel::native
