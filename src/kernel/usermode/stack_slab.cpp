// SPDX-License-Identifier: MIT
#include "kernel/usermode/stack_slab.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>

namespace umcg::kernel::usermode {

namespace {

constexpr std::size_t slab_size_bytes = std::size_t{16} << 20;

// Linux 6.13: a guard inside a mapping. Older headers do not know it.
constexpr int madvise_guard_install = 102;

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

// mprotect splits the mapping: the kernel's limit on mappings then ends at about 32,000 stacks.
bool guard(std::byte* page) noexcept {
  return ::madvise(page, page_size(), madvise_guard_install) == 0 ||
         ::mprotect(page, page_size(), PROT_NONE) == 0;
}

}  // namespace

stack_slabs::~stack_slabs() {
  for (const auto slab : slabs_) ::munmap(slab.data(), slab.size());
}

std::error_code stack_slabs::add_slab(std::size_t size_bytes) {
  const std::size_t each = size_bytes + page_size();
  const std::size_t count = std::max<std::size_t>(slab_size_bytes / each, 1);
  void* memory = ::mmap(nullptr, count * each, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return last_error();
  // A huge page would commit 2 MiB at the first touch of any of its stacks.
  ::madvise(memory, count * each, MADV_NOHUGEPAGE);
  auto* const first = static_cast<std::byte*>(memory);
  for (std::size_t at = 0; at < count; ++at) {
    if (guard(first + at * each)) continue;
    const std::error_code error = last_error();
    ::munmap(memory, count * each);
    return error;
  }
  const std::lock_guard guard_lists(lock_);
  slabs_.emplace_back(first, count * each);
  std::vector<stack>& unused = unused_[size_bytes];
  // The last of the list is taken first: stacks are used in the order of their addresses.
  for (std::size_t at = count; at-- > 0;) {
    unused.emplace_back(first + at * each + page_size(), size_bytes);
  }
  return {};
}

stack stack_slabs::take(std::size_t size_bytes, std::error_code& error) {
  error.clear();
  const std::size_t size = (size_bytes + page_size() - 1) / page_size() * page_size();
  try {
    for (;;) {
      {
        const std::lock_guard guard_lists(lock_);
        std::vector<stack>& unused = unused_[size];
        if (!unused.empty()) {
          const stack taken = unused.back();
          unused.pop_back();
          return taken;
        }
      }
      error = add_slab(size);
      if (error) return {};
    }
  } catch (const std::bad_alloc&) {
    error = std::make_error_code(std::errc::not_enough_memory);
    return {};
  }
}

void stack_slabs::give_back(stack unused) noexcept {
  ::madvise(unused.data(), unused.size(), MADV_DONTNEED);
  const std::lock_guard guard_lists(lock_);
  // Cannot throw: the list had room for this stack when it was made.
  unused_.find(unused.size())->second.push_back(unused);
}

}  // namespace umcg::kernel::usermode
