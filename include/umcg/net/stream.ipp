// SPDX-License-Identifier: MIT
#pragma once

// The templates of net::stream: an Asio buffer sequence becomes a list of iovecs on the caller's
// stack, and everything behind that is compiled once.

#include <array>

#include "umcg/net/stream.hpp"

namespace umcg::net {

// The first non-empty buffers of a sequence. Empty ones are skipped, so that a sequence with one
// byte in it never looks empty.
class stream::buffer_list {
 public:
  template <class Buffer, class BufferSequence>
  static buffer_list of(const BufferSequence& buffers) noexcept {
    buffer_list list;
    const auto end = asio::buffer_sequence_end(buffers);
    for (auto at = asio::buffer_sequence_begin(buffers); at != end; ++at) {
      if (list.size_ == list.entries_.size()) break;
      list.append(Buffer(*at));
    }
    return list;
  }

  std::span<const iovec> entries() const noexcept { return {entries_.data(), size_}; }

 private:
  buffer_list() noexcept = default;

  void append(asio::const_buffer buffer) noexcept {
    if (buffer.size() == 0) return;
    entries_[size_++] = {const_cast<void*>(buffer.data()), buffer.size()};
  }

  std::array<iovec, buffers_max> entries_;
  std::size_t size_ = 0;
};

template <mutable_buffers Buffers>
std::size_t stream::read_some(const Buffers& buffers, std::error_code& error) {
  const auto list = buffer_list::of<asio::mutable_buffer>(buffers);
  return read_vector(list.entries(), error);
}

template <mutable_buffers Buffers>
std::size_t stream::read_some(const Buffers& buffers) {
  std::error_code error;
  const std::size_t count = read_some(buffers, error);
  throw_if(error, "read_some");
  return count;
}

template <const_buffers Buffers>
std::size_t stream::write_some(const Buffers& buffers, std::error_code& error) {
  const auto list = buffer_list::of<asio::const_buffer>(buffers);
  return write_vector(list.entries(), error);
}

template <const_buffers Buffers>
std::size_t stream::write_some(const Buffers& buffers) {
  std::error_code error;
  const std::size_t count = write_some(buffers, error);
  throw_if(error, "write_some");
  return count;
}

}  // namespace umcg::net
