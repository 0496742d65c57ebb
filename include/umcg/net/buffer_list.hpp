// SPDX-License-Identifier: MIT
#pragma once

// An Asio buffer sequence as the kernel takes it, on the caller's stack: templates end here, and
// everything behind is compiled once.

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>

#include <asio/buffer.hpp>

namespace umcg::net {

// Asio's buffer sequences, of which one buffer is the simplest.
template <class Buffers>
concept mutable_buffers = asio::is_mutable_buffer_sequence<Buffers>::value;
template <class Buffers>
concept const_buffers = asio::is_const_buffer_sequence<Buffers>::value;

// The first non-empty buffers of a sequence. Empty ones are skipped, so that a sequence with one
// byte in it never looks empty.
class buffer_list {
 public:
  static constexpr std::size_t size_max = 16;

  // `Buffer`: asio::mutable_buffer to read into them, asio::const_buffer to write them.
  template <class Buffer, class BufferSequence>
  static buffer_list of(const BufferSequence& buffers) noexcept {
    buffer_list list;
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto at = asio::buffer_sequence_begin(buffers); at != end; ++at) {
      if (!list.append(Buffer(*at))) break;
    }
    return list;
  }

  std::span<const iovec> entries() const noexcept { return {entries_.data(), size_}; }
  // False: the sequence has more than size_max non-empty buffers.
  bool complete() const noexcept { return complete_; }

 private:
  buffer_list() noexcept = default;

  bool append(asio::const_buffer buffer) noexcept {
    if (buffer.size() == 0) return true;
    if (size_ == size_max) return complete_ = false;
    entries_[size_++] = {const_cast<void*>(buffer.data()), buffer.size()};
    return true;
  }

  std::array<iovec, size_max> entries_;
  std::size_t size_ = 0;
  bool complete_ = true;
};

}  // namespace umcg::net
