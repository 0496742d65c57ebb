// SPDX-License-Identifier: MIT
#pragma once

// What the workers of one service share.

#include "http/connection_list.hpp"
#include "http/handshake_failures.hpp"
#include "http/router.hpp"
#include "http/stop_signal.hpp"
#include "umcg/http/request.hpp"
#include "umcg/http/response.hpp"
#include "umcg/http/service.hpp"

namespace umcg::http {

class service_core {
 public:
  explicit service_core(service_options chosen) : options(std::move(chosen)) {}

  // The response to `asked`, whose path parameters it notes. Does not throw: a handler that does is
  // logged, and its request answered with 500.
  response answer(request& asked) const noexcept;

  const service_options options;
  router routes;  // fixed after start
  connection_list connections;
  handshake_failures failed_handshakes;
  stop_signal stopping;

 private:
  response answer_unrouted(const request& asked) const;
};

}  // namespace umcg::http
