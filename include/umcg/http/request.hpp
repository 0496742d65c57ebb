// SPDX-License-Identifier: MIT
#pragma once

// One request as a handler sees it. Its text stays where it was received: every view is valid until
// the handler has returned. The body has been read in full, up to limits::body_bytes.
//
// Escapes: target(), path() and query() are as the client sent them, so that "%2F" and "/" stay
// apart. Routes match segment by segment after decoding; path_parameter() and query_parameter() are
// decoded. A path with a broken escape or "%00" never gets here (400).

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "umcg/deadline.hpp"
#include "umcg/http/request_head.hpp"
#include "umcg/net/endpoint.hpp"
#include "umcg/tls/peer_identity.hpp"

namespace umcg::http {

class peer_stream;
struct route;

// Names a request in log lines: the connection's number within the service and the request's within
// the connection.
struct request_id {
  std::uint64_t connection = 0;
  std::uint64_t number = 0;

  std::string to_string() const;
};

class request {
 public:
  static constexpr std::size_t parameters_max = 8;

  // A request from its text, for handlers' tests; `message` must outlive it. The body is what
  // Content-Length says. Errors: bad_message (malformed, incomplete, or with a chunked body).
  static request parse(std::string_view message);
  static request parse(std::string_view message, std::error_code& error);

  std::string_view method() const noexcept { return head_.method; }
  std::string_view target() const noexcept { return head_.target; }
  std::string_view path() const noexcept { return head_.path; }
  std::string_view query() const noexcept { return head_.query; }
  // With the port, if there is one. Empty only for HTTP/1.0, or where the client sent it empty.
  std::string_view host() const noexcept { return head_.host; }
  http::version version() const noexcept { return head_.version; }

  // The decoded value of {name} in the route's pattern. Errors: std::out_of_range, the pattern has
  // no such parameter.
  std::string_view path_parameter(std::string_view name) const;
  // The decoded value of the first `name=value` in the query, '+' read as a space; empty for a name
  // without '='.
  std::optional<std::string> query_parameter(std::string_view name) const;

  // The first field of that name, whatever its case. A field may be sent several times: headers()
  // has them all.
  std::optional<std::string_view> header(std::string_view name) const noexcept {
    return head_.fields.find(name);
  }
  const header_fields& headers() const noexcept { return head_.fields; }

  std::string_view body() const noexcept { return body_; }

  // Whether the client wants to send more requests on this connection.
  bool keep_alive() const noexcept { return head_.keep_alive; }
  // When the handler should have answered: pass it on to what the handler waits for.
  umcg::deadline deadline() const noexcept { return deadline_; }
  // Unspecified for a request that came from no connection, or whose peer has gone.
  net::endpoint remote_endpoint() const;
  // Whether it came over TLS.
  bool secure() const noexcept;
  // Of the client's certificate. Empty: it has shown none, or there is no TLS.
  std::optional<tls::peer_identity> client_identity() const;
  const request_id& id() const noexcept { return id_; }

 private:
  friend class request_reader;
  friend class router;

  // Where a parameter's value lies, in decoded_ if that has anything, else in the path. Positions
  // rather than views, so that a copied request is right.
  struct slice {
    std::uint32_t offset;
    std::uint32_t length;
  };

  request_head head_;
  std::string_view body_;
  const route* route_ = nullptr;
  std::array<slice, parameters_max> parameters_;
  std::string decoded_;
  const peer_stream* peer_ = nullptr;
  umcg::deadline deadline_;
  request_id id_;
};

}  // namespace umcg::http
