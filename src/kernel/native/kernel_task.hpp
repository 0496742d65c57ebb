// SPDX-License-Identifier: MIT
#pragma once

// What a kernel with the UMCG patches (v0.9.1) shares with each registered thread, and the two
// calls it is asked with.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "kernel/native/kernel_state.hpp"

namespace umcg::kernel::native {

// The kernel pins the one page that this lies on: aligned to its size it never straddles two.
struct alignas(64) kernel_task {
  kernel_state state;  // shared word
  // Whom the thread's next umcg_wait wakes. A running, unlocked worker's is its server, always: the
  // kernel kills a process where it is 0 or nobody's.
  std::atomic<std::uint32_t> next_tid{0};
  std::uint32_t flags = 0;  // reserved
  // Workers: where the kernel's idle list begins; while in that list, the next of it.
  std::atomic<std::uint64_t> idle_workers{0};
  // Workers, fixed while registered: where the kernel finds the server to wake for that list.
  std::uint64_t idle_server = 0;
  std::uint64_t reserved[4] = {};
};
static_assert(sizeof(kernel_task) == 64);
static_assert(offsetof(kernel_task, next_tid) == 8);
static_assert(offsetof(kernel_task, idle_workers) == 16);
static_assert(offsetof(kernel_task, idle_server) == 24);

// umcg_ctl
constexpr std::uint32_t register_thread = 0x1;
constexpr std::uint32_t unregister_thread = 0x2;
constexpr std::uint32_t as_worker = 0x10000;
// umcg_wait
constexpr std::uint32_t wake_only = 0x1;
constexpr std::uint32_t on_this_cpu = 0x2;

}  // namespace umcg::kernel::native
