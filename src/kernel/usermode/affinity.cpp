// SPDX-License-Identifier: MIT
#include "kernel/usermode/affinity.hpp"

#include <sched.h>
#include <sys/syscall.h>

#include <utility>

#include "base/own_memory.hpp"
#include "base/raw_syscall.hpp"
#include "kernel/usermode/watch.hpp"

namespace umcg::kernel::usermode {

namespace {

// Carriers that have been called and may be on the wrong CPUs, linked through carrier::moved_after.
std::atomic<carrier*> called_elsewhere{nullptr};

bool set_affinity(const carrier& of, const cpu_set_t& cpus) noexcept {
  const pid_t thread = of.kernel_thread.load();
  return thread != 0 && base::raw_syscall(SYS_sched_setaffinity, thread, sizeof cpus, &cpus) == 0;
}

}  // namespace

// Read through the kernel: the word is in the TLS of a thread that may end meanwhile.
int cpu_of(const carrier& on) noexcept {
  const std::uint32_t* const where = on.cpu.load();
  std::uint32_t number = 0;
  const auto address = reinterpret_cast<std::uintptr_t>(where);
  if (where == nullptr || !base::read_own_value(address, number)) return -1;
  return static_cast<int>(number);
}

void bind_to_cpu(carrier& spare, int cpu) noexcept {
  if (cpu < 0 || cpu >= CPU_SETSIZE || spare.bound_to.load() == cpu) return;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  if (!set_affinity(spare, only)) return;
  spare.bound_to.store(cpu);
  spare.runs_as.store(0);
}

void let_run_as(carrier& called, const watch& of) noexcept {
  const std::uint64_t number = of.number.load();
  if (called.runs_as.load() == number) return;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  const pid_t home = of.home.load()->kernel_thread.load();
  if (home == 0 || base::raw_syscall(SYS_sched_getaffinity, home, sizeof cpus, &cpus) <= 0) return;
  if (!set_affinity(called, cpus)) return;
  called.bound_to.store(-1);
  called.runs_as.store(number);
}

void note_called(carrier& called) noexcept {
  const watch* const hosts = called.hosts.watched();
  if (hosts == nullptr || called.runs_as.load() == hosts->number.load()) return;
  if (called.awaits_move.exchange(true)) return;
  carrier* first = called_elsewhere.load();
  do {
    called.moved_after = first;
  } while (!called_elsewhere.compare_exchange_weak(first, &called));
}

void move_called() noexcept {
  carrier* each = called_elsewhere.load() != nullptr ? called_elsewhere.exchange(nullptr) : nullptr;
  while (each != nullptr) {
    carrier& called = *std::exchange(each, each->moved_after);
    called.awaits_move.store(false);
    // One that hosts nobody any more stays where it is: the next call finds it so.
    if (const watch* const at = called.hosts.watched()) let_run_as(called, *at);
  }
}

void forget_called() noexcept { called_elsewhere.store(nullptr); }

}  // namespace umcg::kernel::usermode
