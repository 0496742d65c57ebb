// SPDX-License-Identifier: MIT
#pragma once

// The hand-off: a worker that blocks its kernel thread - in a system call, a page fault, a lock of
// the C library - or computes for too long loses its server, which goes on with other workers on
// another kernel thread, a carrier. The worker is not disturbed. When it enters the library the
// next time, it waits until a server runs it; one that computes instead, for longer than the
// group's quantum, is brought back by the preemption signal, so that it gets no more than its
// share. (Not while it is inside the C library, or blocks that signal; nor in a group without a
// quantum.)
//
// What a kernel thread does is read from /proc/self/task, from one descriptor for each. A carrier
// that is made while there is none to be had, or after the process gave up the right to open such
// files (setuid(2) takes it, unless prctl(PR_SET_DUMPABLE) gives it back), is not seen into: its
// worker loses the server after two quanta, whatever it does.

#include <chrono>
#include <string>

namespace umcg {

// For all groups of the process that run on half usermode: the group that was started last decides.
struct hand_off_options {
  // How workers are noticed that block and do not say so (see umcg::blocking_region):
  //   auto      a doorbell for each server, a thread of the lowest priority that the kernel runs
  //             when the server's carrier sleeps, within some 10 us; and the monitor behind it
  //   monitor   the monitor alone, one thread that looks at every busy server once in a tick
  //   off       nobody: such a worker keeps its server
  // Workers that compute for too long are the monitor's as well, with their servers or without.
  // It and the doorbells sleep while the servers do, the monitor only if none of those computes.
  std::string watch = "auto";
  // How many kernel threads there may be for hand-offs; 0 to 65,536. When all of them are taken by
  // workers that block, further ones block their servers, and a line on standard error says so.
  unsigned carriers_max = 1024;
  // How often the monitor looks, 1 ms to 1 s. What only it notices is handed off after one to two
  // ticks; each costs some microseconds of CPU time.
  std::chrono::milliseconds tick = std::chrono::milliseconds(1);
};

}  // namespace umcg
