// SPDX-License-Identifier: MIT
// The doorbell: a thread that the kernel runs when a server's carrier sleeps. SCHED_IDLE takes the
// CPU only when nobody else wants it, so while the server computes it costs nothing; it has to be
// on the server's CPU, and follows when the server has moved. It sleeps unless it is armed, and
// disarms itself when there is nothing to find: the monitor arms it again.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/detached_thread.hpp"
#include "base/futex.hpp"
#include "base/raw_syscall.hpp"
#include "kernel/usermode/affinity.hpp"
#include "kernel/usermode/spares.hpp"
#include "kernel/usermode/watch.hpp"

namespace umcg::kernel::usermode {

namespace {

constexpr std::size_t stack_bytes = std::size_t{64} << 10;
// So often it looks at a server that is busy with itself, and then waits for the monitor.
constexpr int vain_looks_most = 64;

// Of a thread with a small share the kernel lets others go first for so much longer: a second for
// the usual slice, times the threads that want its CPU. That long the process could not end. So its
// slice is the shortest there is (Linux 6.12, where this is kept from one policy to the next;
// earlier ones take no notice).
void ask_for_short_slices() noexcept {
  struct {
    std::uint32_t size = 48;  // SCHED_ATTR_SIZE_VER0
    std::uint32_t policy = SCHED_OTHER;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 100'000;  // ns
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
  } const wanted;
  base::raw_syscall(SYS_sched_setattr, 0, &wanted, 0);
}

bool become_idle_priority() noexcept {
  ask_for_short_slices();
  const sched_param none{};
  return ::sched_setscheduler(0, SCHED_IDLE, &none) == 0;
}

// Where the carrier of the watch's server is now; -1: not known.
int cpu_of(const watch& at) noexcept {
  return at.server.load() != nullptr ? cpu_of(*at.on.load()) : -1;
}

bool move_to(int cpu) noexcept {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  return ::sched_setaffinity(0, sizeof only, &only) == 0;
}

// False: this CPU is not to be had.
bool follow(const watch& at, int& here) noexcept {
  const int there = cpu_of(at);
  if (there == here || there < 0) return there >= 0;
  if (!move_to(there)) return false;
  here = there;
  return true;
}

// Passes on the moment that the kernel gives this thread now and then while a worker computes. Not
// by sched_yield(2): that forfeits a second of its small share, and where others want the CPU the
// thread, and with it the whole process, could then not end for many seconds.
void sleep_a_moment() noexcept {
  std::atomic<std::uint32_t> never_set{0};
  base::futex_wait(never_set, 0, deadline::after(std::chrono::microseconds(20)));
}

// Until there is nothing to find any more.
void ring(watch& at, int& here) noexcept {
  for (int vain_looks = 0; vain_looks < vain_looks_most;) {
    const finding found = look(at, insistence::doorbell).found;
    if (found == finding::nobody || found == finding::no_spare) return;
    const bool in_vain = found == finding::at_work || found == finding::not_known;
    vain_looks = in_vain ? vain_looks + 1 : 0;
    if (found == finding::handed_off) continue;
    if (!follow(at, here)) return;
    sleep_a_moment();
  }
}

void* doorbell_main(void* argument) {
  base::name_this_thread("umcg-doorbell");
  auto& at = *static_cast<watch*>(argument);
  if (!become_idle_priority()) {
    at.doorbell.store(watch::bell::refused);
    return nullptr;
  }
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  int here = -1;
  while (at.server.load() != nullptr) {
    base::sleep_until_set(at.armed, deadline::never());
    ring(at, here);
  }
  // The next server of this watch is hung another one.
  at.doorbell.store(watch::bell::none);
  return nullptr;
}

}  // namespace

bool start_doorbell(watch& of) noexcept {
  of.doorbell.store(watch::bell::hung);
  const bool started = base::start_detached_thread(stack_bytes, doorbell_main, &of) == 0;
  if (!started) of.doorbell.store(watch::bell::none);
  return started;
}

void arm(watch& of) noexcept {
  if (!uses_doorbells()) return;
  auto bell = of.doorbell.load();
  if (bell == watch::bell::none && of.doorbell.compare_exchange_strong(bell, watch::bell::wanted)) {
    make_more();
  }
  if (bell == watch::bell::hung && of.armed.load() == 0) base::set_and_wake(of.armed);
}

void make_doorbells() noexcept {
  for (std::size_t at = 0;; ++at) {
    watch* const each = watch_number(at);
    if (each == nullptr) return;
    if (each->doorbell.load() == watch::bell::wanted) start_doorbell(*each);
  }
}

}  // namespace umcg::kernel::usermode
