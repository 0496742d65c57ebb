// SPDX-License-Identifier: MIT
#include "kernel/usermode/thread_identity.hpp"

#include <linux/futex.h>
#include <signal.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <thread>
#include <vector>

#include "base/raw_syscall.hpp"
#include "kernel/usermode/thread_pointer.hpp"

namespace umcg::kernel::usermode {

namespace {

// struct pthread begins at pthread_self(); the search covers every layout glibc has had.
constexpr std::size_t search_begin = 0x40;
constexpr std::size_t search_end = 0x900;

constexpr std::uint32_t virtual_id_first = (1U << 22) + 1;
constexpr std::uint32_t virtual_id_last = (1U << 29) - 1;

std::atomic<std::size_t> field_offset{0};

std::vector<std::size_t> places_of_own_id() {
  const auto id = static_cast<std::uint32_t>(::syscall(SYS_gettid));
  const auto* tcb = reinterpret_cast<const char*>(::pthread_self());
  std::vector<std::size_t> places;
  for (std::size_t at = search_begin; at < search_end; at += sizeof id) {
    std::uint32_t value;
    std::memcpy(&value, tcb + at, sizeof value);
    if (value == id) places.push_back(at);
  }
  return places;
}

std::string find_field() {
  const std::vector<std::size_t> here = places_of_own_id();
  std::vector<std::size_t> there;
  std::thread([&there] { there = places_of_own_id(); }).join();
  std::size_t matches = 0;
  for (const std::size_t at : here) {
    for (const std::size_t other : there) {
      if (at != other) continue;
      field_offset.store(at);
      ++matches;
    }
  }
  if (matches == 1) return {};
  return "this C library keeps thread ids where umcg does not find them (glibc is needed)";
}

std::uint32_t next_virtual_id() noexcept {
  static std::atomic<std::uint32_t> next{0};
  return virtual_id_first + next.fetch_add(1) % (virtual_id_last - virtual_id_first);
}

struct rseq* own_rseq() noexcept {
  if (__rseq_size == 0) return nullptr;
  return reinterpret_cast<struct rseq*>(static_cast<char*>(__builtin_thread_pointer()) +
                                        __rseq_offset);
}

}  // namespace

const std::string& examine_machine() {
  static const std::string problem = [] {
    std::string reason = choose_thread_pointer_method();
    return reason.empty() ? find_field() : reason;
  }();
  return problem;
}

bool thread_id_field_known() noexcept { return field_offset.load() != 0; }

std::uint32_t* thread_id_field(pthread_t thread) noexcept {
  return reinterpret_cast<std::uint32_t*>(reinterpret_cast<char*>(thread) + field_offset.load());
}

std::uintptr_t thread_id_address(std::uintptr_t thread_pointer) noexcept {
  if (!thread_id_field_known()) return 0;
  // As far from the thread pointer as our own.
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
  return thread_pointer +
         (reinterpret_cast<std::uintptr_t>(thread_id_field(::pthread_self())) - here);
}

void forget_cpu_number() noexcept {
  // glibc then asks the kernel instead of this area (sched_getcpu).
  if (struct rseq* area = own_rseq()) {
    area->cpu_id_start = 0;
    area->cpu_id = static_cast<std::uint32_t>(RSEQ_CPU_ID_REGISTRATION_FAILED);
  }
}

void block_signals(taken_signals but, std::uint64_t& before) noexcept {
  constexpr int signal_of_setxid = 33;  // glibc's; sigset functions refuse to name it
  std::uint64_t blocked = ~std::uint64_t{0};
  if (but == taken_signals::c_library) blocked ^= std::uint64_t{1} << (signal_of_setxid - 1);
  base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, &before, sizeof blocked);
}

void restore_signals(const std::uint64_t& before) noexcept {
  base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof before);
}

void give_up_kernel_identity() noexcept {
  using base::raw_syscall;
  // From here on setuid() in another thread does not find this one, and does not wait for it.
  *thread_id_field(::pthread_self()) = next_virtual_id();
  std::uint64_t before;
  block_signals(taken_signals::none, before);
  raw_syscall(SYS_set_tid_address, nullptr);
  raw_syscall(SYS_set_robust_list, nullptr, 3 * sizeof(void*));
  if (struct rseq* area = own_rseq()) {
    constexpr std::size_t registered_size = 32;
    raw_syscall(SYS_rseq, area, registered_size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
    forget_cpu_number();
  }
}

}  // namespace umcg::kernel::usermode
