// SPDX-License-Identifier: MIT
#pragma once

// What the epoll reactor knows of each descriptor, by number. It belongs to one server and passes
// with its context from carrier to carrier.

#include <array>
#include <cstddef>
#include <cstdint>

#include "io/reactor.hpp"

namespace umcg::io {

// Operations that wait for one thing, first come, first served: linked in a ring, so that a
// deadline takes any of ten thousand out at once.
class waiting_operations {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  operation* first() const noexcept { return first_; }
  void push(operation& last) noexcept;
  void remove(operation& one) noexcept;

 private:
  operation* first_ = nullptr;
};

struct watch {
  waiting_operations readers;
  waiting_operations writers;
  std::uint64_t serial = 0;  // the socket it is, if its user says; see io/operations.hpp
  std::uint32_t number = 0;  // of the registration: events of an earlier one are not this one's
  bool registered = false;   // the set has it
  bool tcp = false;
  // No byte was there after the last receive, and no event has come since: not worth a call.
  bool drained = false;
  // The peer has shut down, there is an error or urgent data: a receive that falls short says
  // nothing about what comes behind it.
  bool doubtful = false;
  bool unclaimed = false;  // an event came that nobody waited for
};

// Grows by whole chunks that come from mmap(2), so on any stack and without a lock, and stay where
// they are.
class watch_table {
 public:
  watch_table() noexcept = default;
  watch_table(const watch_table&) = delete;
  watch_table& operator=(const watch_table&) = delete;
  ~watch_table();

  // Null: nothing was ever known of it.
  watch* find(int fd) const noexcept;
  // Null: no memory. `fd` is not negative.
  watch* make(int fd) noexcept;

 private:
  static constexpr std::size_t chunk_size = 4096;
  static constexpr std::size_t chunks_max = (std::size_t{1} << 31) / chunk_size;

  watch** chunks_ = nullptr;     // as many as there can be descriptors; touched where they are used
  std::size_t chunks_used_ = 0;  // no chunk beyond
};

}  // namespace umcg::io
