// SPDX-License-Identifier: MIT
#pragma once

// What another kernel thread of this process is doing, from /proc/self/task/TID/syscall
// (proc_pid_syscall(5), Linux 2.6.27, CONFIG_HAVE_ARCH_TRACEHOOK): "running" if it runs or could,
// otherwise the number of the system call it sleeps in, or -1 for a page fault.

#include <sys/types.h>

#include <atomic>

#include "base/short_lock.hpp"

namespace umcg::kernel::usermode {

struct thread_sample {
  enum class state : unsigned char { running, sleeping, not_known } what = state::not_known;
  int system_call = -1;  // sleeping: its number; -1: a page fault
};

// The file of one kernel thread after another, open all the time: a process that has no descriptor
// left, or may not open the file any more, goes on watching. The descriptor stays the same, so that
// whoever is late with a look reads of a thread that has ended, or of its successor, and nothing
// else.
class thread_status {
 public:
  // Whether this process may look at its threads in that way. Without a descriptor to try it with:
  // true, since there will be one.
  static bool works() noexcept;

  // From now on that of the kernel thread whose number is in `whose`, or of none where its file
  // cannot be opened: that can be tried again. Returns 0 or an error number. Any thread may look,
  // and open it, meanwhile.
  int open(const std::atomic<pid_t>& whose) noexcept;
  bool is_open() const noexcept { return is_open_.load(); }
  thread_sample look() const noexcept;

 private:
  base::short_lock lock_;  // held while it is opened
  std::atomic<bool> is_open_{false};
  std::atomic<int> file_{-1};
};

}  // namespace umcg::kernel::usermode
