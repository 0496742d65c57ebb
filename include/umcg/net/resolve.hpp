// SPDX-License-Identifier: MIT
#pragma once

// Names of hosts and services become endpoints.

#include <string_view>
#include <system_error>

#include <asio/ip/tcp.hpp>

#include "umcg/deadline.hpp"
#include "umcg/net/endpoint.hpp"

namespace umcg::net {

// What Asio's resolver returns: a range of entries, each with an endpoint(), best first.
using resolved = asio::ip::tcp::resolver::results_type;

// The endpoints of `service` ("https", "443"; empty: port 0) at `host` (a name or an address),
// sorted as RFC 6724 says. Blocks the calling worker only (on a plain thread: the thread).
//
// Names are looked up by getaddrinfo(3), which honours /etc/nsswitch.conf and cannot be cancelled:
// each lookup has a thread of its own, which is left behind when the deadline or a scope ends the
// call. At most resolves_max are under way, those left behind included; a further call waits for
// one of them to end. Addresses are read on the spot.
//
// Errors: asio::error::host_not_found, no_data (the name has no addresses),
// host_not_found_try_again (a name server did not answer), no_recovery, service_not_found, of
// resolve_category() what else getaddrinfo reports; timed_out, operation_aborted;
// invalid_argument (a NUL in a name), std::errc::resource_unavailable_try_again (no thread).
resolved resolve(std::string_view host, std::string_view service,
                 deadline until = deadline::never());
resolved resolve(std::string_view host, std::string_view service, deadline until,
                 std::error_code& error);

inline constexpr unsigned resolves_max = 64;

// The EAI_ values for which Asio has no name, with the texts of gai_strerror(3).
const std::error_category& resolve_category() noexcept;

}  // namespace umcg::net
