// SPDX-License-Identifier: MIT
#pragma once

// The life of one connection.

#include "http/service_core.hpp"
#include "umcg/net/stream.hpp"

namespace umcg::http {

// Answers the requests that arrive on `peer` until either side ends the connection. Runs on the
// connection's own worker: every call in it may block that worker and none blocks a server.
void serve_connection(net::stream peer, service_core& service);

}  // namespace umcg::http
