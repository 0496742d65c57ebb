// SPDX-License-Identifier: MIT

#include "http/connection.hpp"

#include <cstdio>
#include <string>

#include <asio/buffer.hpp>

#include "http/coarse_clock.hpp"
#include "http/request_reader.hpp"
#include "http/response_writer.hpp"

namespace umcg::http {
namespace {

constexpr std::size_t lingering_bytes_max = 1024 * 1024;
constexpr std::chrono::seconds lingering_duration(2);

// Ends a connection whose peer may still be sending. To close with unread bytes would reset the
// connection, and the reset may overtake the last that we have said; so say that no more will come
// and read on for a while (RFC 9112 9.6).
void linger(peer_stream& peer) {
  std::error_code error;
  peer.expires_at(deadline::after(lingering_duration));
  peer.shutdown_send(error);
  char dropped[512];
  for (std::size_t count = 0; !error && count < lingering_bytes_max;) {
    count += peer.socket().read_some(asio::buffer(dropped), error);
  }
}

void hang_up(peer_stream& peer, response_writer& output) {
  if (output.flush()) linger(peer);
}

// Says why there is no next request, if there is something to say.
void refuse(peer_stream& peer, response_writer& output, status why) {
  if (why == status::ok) {
    peer.expires_at(deadline::after(lingering_duration));
    return peer.say_goodbye();
  }
  if (output.refuse(why)) hang_up(peer, output);
}

}  // namespace

bool secure_connection(open_connection& connection, service_core& service) {
  std::error_code error;
  peer_stream& peer = connection.peer;
  const auto duration = service.options.limits.handshake_duration;
  peer.secure(*service.options.tls, coarse_deadline_in(duration), error);
  if (!error) return true;
  std::error_code unknown;
  const std::string line = service.failed_handshakes.add(
      net::to_string(peer.socket().remote_endpoint(unknown)), error, deadline::clock::now());
  std::fwrite(line.data(), 1, line.size(), stderr);
  linger(peer);
  return false;
}

void serve_requests(open_connection& connection, service_core& service) {
  peer_stream& peer = connection.peer;
  response_writer output(peer, service.options);
  request_reader input(peer, output, connection.listed, service.options.limits);
  for (;;) {
    request* const next = input.next();
    if (!next) return refuse(peer, output, input.refusal());
    const response reply = service.answer(*next);
    const bool last =
        !next->keep_alive() || reply.closes_connection() || connection.listed.draining();
    if (!output.write(reply, *next, last)) return;
    if (last) return hang_up(peer, output);
  }
}

void serve_connection(net::stream accepted, service_core& service) {
  open_connection connection(std::move(accepted), service);
  if (!connection.listed.admitted()) return;
  if (service.options.tls && !secure_connection(connection, service)) return;
  serve_requests(connection, service);
}

}  // namespace umcg::http
