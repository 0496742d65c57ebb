// SPDX-License-Identifier: MIT
#pragma once

// What a service does while it cannot accept, for want of descriptors or memory. The connections
// that it has are served on. New ones wait in the kernel's queue, for the case that it is over
// soon; when it has lasted, they are closed, so that clients learn of it instead of waiting for a
// server that does not answer. A descriptor kept in reserve makes room for that. One line a second
// says that it goes on, and one that it is over.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <system_error>

#include "base/unique_fd.hpp"
#include "umcg/deadline.hpp"
#include "umcg/net/listener.hpp"
#include "umcg/sync/mutex.hpp"

namespace umcg::http {

// One for all listeners of a service. Any worker or thread may use it.
class accept_shortage {
 public:
  using time_point = deadline::clock::time_point;

  // How long connections may wait to be accepted.
  static constexpr std::chrono::seconds patience_duration{5};

  // `where` is named in the log.
  explicit accept_shortage(std::string where);

  // Accepting from `from`, or serving what was accepted, has failed with `problem`. Blocks only the
  // calling worker. Returns the line for the log, empty if it is not time for one.
  std::string goes_on(net::listener& from, const std::error_code& problem, time_point now);

  // A connection was accepted and is served. As goes_on(). Costs a load while there is no shortage.
  std::string over(time_point now);

 private:
  std::size_t shed(net::listener& from);
  std::string line(std::string text);

  const std::string where_;
  std::atomic<bool> lasts_{false};
  sync::mutex mutex_;
  // The rest is guarded by it.
  base::unique_fd reserve_;
  time_point since_;
  time_point last_line_ = time_point::min();
  std::size_t shed_ = 0;  // since the last line
};

}  // namespace umcg::http
