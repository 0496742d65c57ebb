// SPDX-License-Identifier: MIT
#pragma once

// Connects to a host by name, over whichever of its addresses answers first: "Happy Eyeballs"
// (RFC 8305). The addresses, in the order of RFC 6724, alternate between IPv6 and IPv4. The next
// one is tried when the one before it has failed, or has not answered for the attempt delay; the
// attempts before it go on. The first that succeeds is taken, the others end.
//
// What RFC 8305 says of asking for both kinds of addresses apart does not apply: getaddrinfo(3)
// returns them together.

#include <chrono>
#include <span>
#include <string_view>
#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/net/endpoint.hpp"
#include "umcg/net/resolve.hpp"
#include "umcg/net/stream.hpp"

namespace umcg::net {

struct connect_options {
  // How long an attempt may go unanswered before the next begins beside it; RFC 8305 recommends
  // this, and between 100 ms and 2 s.
  std::chrono::milliseconds attempt_delay = std::chrono::milliseconds(250);
};

// Resolves and connects, both until the deadline. Blocks the calling worker only (on a plain
// thread: the thread). The stream has TCP_NODELAY set. Uses a descriptor besides those of the
// attempts. Errors: those of resolve(); timed_out; that of the attempt which failed last:
// connection_refused, host_unreachable, no_descriptors, ...
stream connect(std::string_view host, std::string_view service, deadline until = deadline::never(),
               const connect_options& options = {});
stream connect(std::string_view host, std::string_view service, deadline until,
               const connect_options& options, std::error_code& error);

// The same for addresses that are known, best first. Errors: as above; invalid_argument if there
// are none.
stream connect(std::span<const endpoint> addresses, deadline until = deadline::never(),
               const connect_options& options = {});
stream connect(std::span<const endpoint> addresses, deadline until, const connect_options& options,
               std::error_code& error);

}  // namespace umcg::net
