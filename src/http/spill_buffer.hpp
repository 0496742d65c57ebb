// SPDX-License-Identifier: MIT
#pragma once

// Bytes of one connection: a few in place, in the frame of the worker that serves it, and a heap
// block only while they do not fit. So an idle connection owns no heap.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace umcg::http {

template <std::size_t InPlace>
class spill_buffer {
 public:
  static constexpr std::size_t in_place_bytes = InPlace;

  spill_buffer() noexcept {}  // the bytes stay unwritten, so that their pages stay untouched
  spill_buffer(const spill_buffer&) = delete;
  spill_buffer& operator=(const spill_buffer&) = delete;

  char* data() noexcept { return heap_ ? heap_.get() : in_place_; }
  const char* data() const noexcept { return heap_ ? heap_.get() : in_place_; }
  std::size_t capacity() const noexcept { return capacity_; }
  bool spilled() const noexcept { return heap_ != nullptr; }

  // Makes the capacity `wanted` at least and keeps the first `used` bytes. False, and nothing
  // changed: no memory.
  [[nodiscard]] bool grow(std::size_t wanted, std::size_t used) noexcept {
    if (wanted <= capacity_) return true;
    std::unique_ptr<char[]> larger(new (std::nothrow) char[wanted]);
    if (!larger) return false;
    std::memcpy(larger.get(), data(), used);
    heap_ = std::move(larger);
    capacity_ = wanted;
    return true;
  }

  // Gives the heap block back and keeps `used` bytes from `offset` on, which must fit in place.
  void settle(std::size_t offset, std::size_t used) noexcept {
    std::memmove(in_place_, data() + offset, used);
    heap_.reset();
    capacity_ = InPlace;
  }

 private:
  std::unique_ptr<char[]> heap_;
  std::size_t capacity_ = InPlace;
  char in_place_[InPlace];
};

}  // namespace umcg::http
