// SPDX-License-Identifier: MIT
#include "kernel/usermode/alternate_stack.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace umcg::kernel::usermode {

namespace {

// What the kernel pushes depends on the processor; the rest is for the handler.
std::size_t stack_bytes() noexcept {
  constexpr std::size_t handler_bytes = std::size_t{32} << 10;
  constexpr std::size_t page = 4096;
  const auto frame = static_cast<std::size_t>(std::max(::sysconf(_SC_MINSIGSTKSZ), 4096L));
  return (handler_bytes + frame + page - 1) / page * page;
}

[[gnu::tls_model("initial-exec")]] thread_local constinit void* ours = nullptr;

}  // namespace

void set_up_alternate_stack() noexcept {
  stack_t there{};
  if (::sigaltstack(nullptr, &there) != 0 || (there.ss_flags & SS_DISABLE) == 0) return;
  const std::size_t size = stack_bytes();
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t made{};
  made.ss_sp = memory;
  made.ss_size = size;
  if (::sigaltstack(&made, nullptr) == 0) {
    ours = memory;
  } else {
    ::munmap(memory, size);
  }
}

void tear_down_alternate_stack() noexcept {
  void* const memory = std::exchange(ours, nullptr);
  if (memory == nullptr) return;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  ::sigaltstack(&none, nullptr);
  ::munmap(memory, stack_bytes());
}

}  // namespace umcg::kernel::usermode
