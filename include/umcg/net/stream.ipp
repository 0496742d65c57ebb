// SPDX-License-Identifier: MIT
#pragma once

// The templates of net::stream.

#include "umcg/net/stream.hpp"

namespace umcg::net {

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
