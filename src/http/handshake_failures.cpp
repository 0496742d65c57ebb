// SPDX-License-Identifier: MIT

#include "http/handshake_failures.hpp"

#include <chrono>
#include <mutex>
#include <utility>

#include <asio/error.hpp>

#include "umcg/cancellation.hpp"
#include "umcg/tls/error.hpp"

namespace umcg::http {
namespace {

constexpr std::chrono::seconds between_lines(1);

bool is_worth_a_line(const std::error_code& why) {
  return why != tls::errc::stream_truncated && why != asio::error::connection_reset &&
         why != asio::error::operation_aborted;
}

}  // namespace

std::string handshake_failures::add(const std::string& peer, const std::error_code& why,
                                    time_point now) {
  ++count_;
  if (!is_worth_a_line(why)) return {};
  const scope_shield shield;
  const std::lock_guard guard(mutex_);
  if (last_line_ != time_point::min() && now - last_line_ < between_lines) {
    ++unnamed_;
    return {};
  }
  last_line_ = now;
  std::string line = "umcg: TLS handshake with " + peer + " failed: " + why.message();
  if (const std::uint64_t others = std::exchange(unnamed_, 0); others > 0) {
    line += " (and " + std::to_string(others) + " more before)";
  }
  return line + '\n';
}

}  // namespace umcg::http
