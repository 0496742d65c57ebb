// SPDX-License-Identifier: MIT
#pragma once

// An array that grows up to a size given beforehand, in address space of its own: diagnosis must
// work while a stuck worker holds malloc's lock. Memory is used as it is filled.

#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <type_traits>

namespace umcg::diagnosis {

template <class Value>
class mapped_array {
  static_assert(std::is_trivially_copyable_v<Value>);

 public:
  // Without memory it has room for nothing.
  explicit mapped_array(std::size_t capacity) noexcept : capacity_(capacity) {
    void* const memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (capacity == 0 || memory == MAP_FAILED) {
      capacity_ = 0;
    } else {
      values_ = static_cast<Value*>(memory);
    }
  }
  ~mapped_array() {
    if (values_ != nullptr) ::munmap(values_, bytes());
  }
  mapped_array(const mapped_array&) = delete;
  mapped_array& operator=(const mapped_array&) = delete;

  // Null: it is full.
  Value* push(const Value& value) noexcept {
    if (size_ == capacity_) return nullptr;
    values_[size_] = value;
    return &values_[size_++];
  }
  void resize(std::size_t size) noexcept { size_ = size < capacity_ ? size : capacity_; }

  std::span<Value> all() noexcept { return {values_, size_}; }
  std::span<Value> room() noexcept { return {values_ + size_, capacity_ - size_}; }
  std::size_t size() const noexcept { return size_; }
  std::size_t capacity() const noexcept { return capacity_; }
  Value& operator[](std::size_t at) noexcept { return all()[at]; }

 private:
  std::size_t bytes() const noexcept { return capacity_ * sizeof(Value); }

  Value* values_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_;
};

}  // namespace umcg::diagnosis
