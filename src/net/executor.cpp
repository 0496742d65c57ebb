// SPDX-License-Identifier: MIT

// asio::ssl::stream makes timers, for asynchronous operations, of the executor of the layer below.
// An io_context lets it: it gives them a place, and has no thread of its own, which other execution
// contexts start for that. Asynchronous operations would need somebody to run it.

#include <asio/io_context.hpp>

#include "umcg/net/stream.hpp"

namespace umcg::net {

stream::executor_type stream::get_executor() const {
  // Never destroyed: streams may outlive the statics.
  static asio::io_context& nobody_runs = *new asio::io_context();
  return nobody_runs.get_executor();
}

}  // namespace umcg::net
