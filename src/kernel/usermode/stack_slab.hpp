// SPDX-License-Identifier: MIT
#pragma once

// Stacks for workers. Address space is reserved in slabs of many stacks and committed by the kernel
// page by page as it is touched, so a stack costs what its worker uses. Below each stack lies a
// guard page; an overflow is SIGSEGV.

#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <system_error>
#include <vector>

namespace umcg::kernel::usermode {

using stack = std::span<std::byte>;

class stack_slabs {
 public:
  stack_slabs() = default;
  stack_slabs(const stack_slabs&) = delete;
  stack_slabs& operator=(const stack_slabs&) = delete;
  ~stack_slabs();

  // A stack of at least `size_bytes`, rounded up to pages, guarded below. Errors: not_enough_memory
  // when the address space, the memory or the number of mappings the kernel allows
  // (vm.max_map_count) is used up.
  stack take(std::size_t size_bytes, std::error_code& error);
  // Takes a stack back and gives its memory to the system.
  void give_back(stack unused) noexcept;

 private:
  std::error_code add_slab(std::size_t size_bytes);

  // No short lock: who has it allocates, and may have to wait for that.
  std::mutex lock_;
  std::map<std::size_t, std::vector<stack>> unused_;  // guarded by lock_
  std::vector<std::span<std::byte>> slabs_;           // likewise
};

}  // namespace umcg::kernel::usermode
