// SPDX-License-Identifier: MIT
#pragma once

// A stream below TLS without a peer: it has what is to be read, and keeps what is written.

#include <algorithm>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include "umcg/deadline.hpp"

namespace umcg::tls::testing {

struct scripted_stream {
  std::string input = {};
  std::size_t piece = 4096;  // that one read gets
  std::string output = {};
  deadline until = {};

  std::size_t read_some(asio::mutable_buffer into, std::error_code& error) {
    const std::size_t count = std::min({into.size(), piece, input.size()});
    error = count == 0 ? asio::error::eof : std::error_code();
    std::memcpy(into.data(), input.data(), count);
    input.erase(0, count);
    return count;
  }
  std::size_t write_some(asio::const_buffer from, std::error_code& error) {
    error.clear();
    const std::size_t count = std::min(from.size(), piece);
    output.append(static_cast<const char*>(from.data()), count);
    return count;
  }
  void expires_at(deadline when) noexcept { until = when; }
  deadline expiry() const noexcept { return until; }
};

}  // namespace umcg::tls::testing
