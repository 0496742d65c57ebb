// SPDX-License-Identifier: MIT
#pragma once

// TLS handshakes that have failed: all are counted, and one in a second is named in the log. A peer
// that goes away without a word - a port scan, a health check, a browser that has second thoughts -
// is counted and not worth a line.

#include <atomic>
#include <cstdint>
#include <string>
#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/sync/mutex.hpp"

namespace umcg::http {

// Any worker or thread may use it.
class handshake_failures {
 public:
  using time_point = deadline::clock::time_point;

  // A handshake with `peer` has failed. Returns the line for the log; empty if there is none to
  // write, or if it is not time for one.
  std::string add(const std::string& peer, const std::error_code& why, time_point now);

  std::uint64_t count() const noexcept { return count_.load(); }

 private:
  std::atomic<std::uint64_t> count_{0};
  sync::mutex mutex_;
  // The rest is guarded by it.
  time_point last_line_ = time_point::min();
  std::uint64_t unnamed_ = 0;  // worth a line, since the last one
};

}  // namespace umcg::http
