// SPDX-License-Identifier: MIT
#pragma once

// Owns a file descriptor until it is released: the descriptor of a half-made stream or listener is
// closed on every way out of the function that makes it.

#include <unistd.h>

#include <utility>

namespace umcg::base {

class unique_fd {
 public:
  unique_fd() noexcept = default;
  // A negative `fd`, as a failed system call returns it, owns nothing.
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;
  ~unique_fd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }

  // Never closes twice: Linux frees the descriptor even where close(2) reports EINTR, and a second
  // close could hit a descriptor that another thread has just opened.
  void reset(int fd = -1) noexcept {
    const int before = std::exchange(fd_, fd);
    if (before >= 0) ::close(before);
  }

 private:
  int fd_ = -1;
};

}  // namespace umcg::base
