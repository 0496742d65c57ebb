// SPDX-License-Identifier: MIT
#include "io/watch_table.hpp"

#include <sys/mman.h>

#include <algorithm>

namespace umcg::io {

namespace {

// Zeroed memory that costs nothing until it is touched; null when there is none.
void* reserve(std::size_t bytes) noexcept {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

void waiting_operations::push(operation& last) noexcept {
  if (first_ == nullptr) {
    first_ = last.next = last.previous = &last;
    return;
  }
  last.next = first_;
  last.previous = first_->previous;
  first_->previous->next = &last;
  first_->previous = &last;
}

void waiting_operations::remove(operation& one) noexcept {
  if (one.next == &one) {
    first_ = nullptr;
  } else {
    if (first_ == &one) first_ = one.next;
    one.previous->next = one.next;
    one.next->previous = one.previous;
  }
  one.next = one.previous = nullptr;
}

watch_table::~watch_table() {
  if (chunks_ == nullptr) return;
  for (std::size_t at = 0; at < chunks_used_; ++at) {
    if (chunks_[at] != nullptr) ::munmap(chunks_[at], chunk_size * sizeof(watch));
  }
  ::munmap(chunks_, chunks_max * sizeof(void*));
}

watch* watch_table::find(int fd) const noexcept {
  if (fd < 0 || chunks_ == nullptr) return nullptr;
  watch* const chunk = chunks_[static_cast<std::size_t>(fd) / chunk_size];
  return chunk == nullptr ? nullptr : &chunk[static_cast<std::size_t>(fd) % chunk_size];
}

watch* watch_table::make(int fd) noexcept {
  if (chunks_ == nullptr) {
    chunks_ = static_cast<watch**>(reserve(chunks_max * sizeof(void*)));
    if (chunks_ == nullptr) return nullptr;
  }
  const std::size_t at = static_cast<std::size_t>(fd) / chunk_size;
  if (chunks_[at] == nullptr) {
    chunks_[at] = static_cast<watch*>(reserve(chunk_size * sizeof(watch)));
    if (chunks_[at] == nullptr) return nullptr;
    chunks_used_ = std::max(chunks_used_, at + 1);
  }
  return find(fd);
}

}  // namespace umcg::io
