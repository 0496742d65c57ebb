// SPDX-License-Identifier: MIT
#pragma once

// The life of one connection.

#include "http/connection_list.hpp"
#include "http/peer_stream.hpp"
#include "http/service_core.hpp"
#include "umcg/net/stream.hpp"

namespace umcg::http {

// A connection that was accepted, among those of its service.
struct open_connection {
  open_connection(net::stream accepted, service_core& service) noexcept
      : peer(std::move(accepted)), listed(service.connections, peer.socket()) {}

  peer_stream peer;
  listed_connection listed;
};

// Puts TLS on the connection. False: that has failed, the peer knows, and there is nothing more to
// do. May block the calling worker.
bool secure_connection(open_connection& connection, service_core& service);

// Answers the requests that arrive until either side ends the connection. Runs on the connection's
// own worker: every call in it may block that worker and none blocks a server.
void serve_requests(open_connection& connection, service_core& service);

// All of that for a connection of a service with or without TLS.
void serve_connection(net::stream accepted, service_core& service);

}  // namespace umcg::http
