// SPDX-License-Identifier: MIT
#pragma once

// Text that ends where a page begins that may not be touched: a parser that looks one byte too far
// crashes.

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string_view>

namespace umcg::http::testing {

class guarded_bytes {
 public:
  explicit guarded_bytes(std::size_t capacity) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    size_ = (capacity + page - 1) / page * page + page;
    void* const mapped =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::runtime_error("mmap");
    begin_ = static_cast<char*>(mapped);
    end_ = begin_ + size_ - page;
    if (::mprotect(end_, page, PROT_NONE) != 0) throw std::runtime_error("mprotect");
  }
  ~guarded_bytes() { ::munmap(begin_, size_); }
  guarded_bytes(const guarded_bytes&) = delete;
  guarded_bytes& operator=(const guarded_bytes&) = delete;

  // A copy of `text`, up to the guard. It replaces the copy before it.
  std::string_view hold(std::string_view text) {
    char* const at = end_ - text.size();
    std::memcpy(at, text.data(), text.size());
    return {at, text.size()};
  }

 private:
  char* begin_;
  char* end_;
  std::size_t size_;
};

}  // namespace umcg::http::testing
