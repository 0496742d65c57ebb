// SPDX-License-Identifier: MIT

#include "http/connection.hpp"

#include <asio/buffer.hpp>

#include "http/request_reader.hpp"
#include "http/response_writer.hpp"

namespace umcg::http {
namespace {

constexpr std::size_t lingering_bytes_max = 1024 * 1024;
constexpr std::chrono::seconds lingering_duration(2);

// Ends a connection whose peer may still be sending. To close with unread bytes would reset the
// connection, and the reset may overtake our last response; so say that no more will come and read
// on for a while (RFC 9112 9.6).
void hang_up(net::stream& peer, response_writer& output) {
  std::error_code error;
  if (!output.flush()) return;
  peer.shutdown_send(error);
  peer.expires_at(deadline::after(lingering_duration));
  char dropped[512];
  for (std::size_t count = 0; !error && count < lingering_bytes_max;) {
    count += peer.read_some(asio::buffer(dropped), error);
  }
}

// Says why there is no next request, if there is something to say.
void refuse(net::stream& peer, response_writer& output, status why) {
  if (why != status::ok && output.refuse(why)) hang_up(peer, output);
}

}  // namespace

void serve_connection(net::stream peer, service_core& service) {
  listed_connection connection(service.connections, peer);
  if (!connection.admitted()) return;
  response_writer output(peer, service.options);
  request_reader input(peer, output, connection, service.options.limits);
  for (;;) {
    request* const next = input.next();
    if (!next) return refuse(peer, output, input.refusal());
    const response reply = service.answer(*next);
    const bool last = !next->keep_alive() || reply.closes_connection() || connection.draining();
    if (!output.write(reply, *next, last)) return;
    if (last) return hang_up(peer, output);
  }
}

}  // namespace umcg::http
