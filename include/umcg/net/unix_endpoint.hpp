// SPDX-License-Identifier: MIT
#pragma once

// Where Unix-domain sockets are: a path, or a name in the abstract namespace of Linux, which begins
// with a NUL. Asio's type, and its form as text.

#include <sys/types.h>

#include <string>
#include <string_view>
#include <system_error>

#include <asio/local/stream_protocol.hpp>

namespace umcg::net {

using unix_endpoint = asio::local::stream_protocol::endpoint;

// Reads "/run/app.sock", any other path, and "@app", which is the name "app" in the abstract
// namespace. Errors: invalid_argument (empty, or a NUL in a path), name_too_long (more than 107
// bytes).
unix_endpoint parse_unix_endpoint(std::string_view text);
unix_endpoint parse_unix_endpoint(std::string_view text, std::error_code& error);

// parse_unix_endpoint(to_string(e)) == e, unless `where` is nameless: then the text is empty.
std::string to_string(const unix_endpoint& where);

// Who is at the other end of a Unix-domain stream: effective ids, in the caller's namespaces.
struct peer_credentials {
  pid_t process = 0;
  uid_t user = 0;
  gid_t group = 0;
};

}  // namespace umcg::net
