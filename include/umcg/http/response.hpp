// SPDX-License-Identifier: MIT
#pragma once

// What a handler returns. Content-Length, Date and Connection are the service's to write.

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "umcg/http/header_fields.hpp"
#include "umcg/http/status.hpp"

namespace umcg::http {

class response {
 public:
  // Without a body. Implicit, so that a handler may say `return http::status::not_found;`.
  response(http::status code = http::status::ok) noexcept : status_(code) {}

  // "text/plain; charset=utf-8", "application/json", "application/octet-stream".
  static response text(std::string body, http::status code = http::status::ok);
  static response text(std::same_as<std::string_view> auto body,
                       http::status code = http::status::ok) {
    return text(std::string(body), code);
  }
  static response json(std::string body, http::status code = http::status::ok);
  static response bytes(std::string body, http::status code = http::status::ok);
  static response bytes(std::span<const std::byte> body, http::status code = http::status::ok);
  // Neither is copied: both must stay until the response is written, as literals do, and the bytes
  // of the request that it answers.
  static response unowned(std::string_view body, std::string_view content_type) noexcept;
  // "404 Not Found" as text.
  static response error(http::status code);

  http::status status() const noexcept { return status_; }
  response& set_status(http::status code) noexcept;

  std::string_view body() const noexcept { return unowned_.data() ? unowned_ : body_; }
  response& set_body(std::string body) noexcept;

  // set_header() replaces every field of that name, add_header() leaves them. The whitespace around
  // a value is dropped. `Connection: close` is close_connection(). Errors: invalid_argument for a
  // name that is not a token, a value with control bytes (so no CR, LF or NUL gets into a head),
  // and for Content-Length, Transfer-Encoding and any other Connection, which are the service's.
  response& set_header(std::string_view name, std::string_view value);
  response& set_header(std::string_view name, std::string_view value, std::error_code& error);
  response& add_header(std::string_view name, std::string_view value);
  response& add_header(std::string_view name, std::string_view value, std::error_code& error);
  // The first field of that name, whatever its case.
  std::optional<std::string_view> header(std::string_view name) const noexcept;

  // What was set, without Content-Type if that is content_type().
  header_fields headers() const noexcept { return header_fields(fields_); }
  // Of the factories above; empty once a Content-Type field was set.
  std::string_view content_type() const noexcept { return content_type_; }
  bool has_date() const noexcept { return has_date_; }

  // Ends the connection after this response.
  response& close_connection() noexcept;
  bool closes_connection() const noexcept { return closes_connection_; }

 private:
  response(std::string body, std::string_view content_type, http::status code) noexcept
      : status_(code), content_type_(content_type), body_(std::move(body)) {}
  void remove_header(std::string_view name);

  http::status status_;
  bool closes_connection_ = false;
  bool has_date_ = false;
  std::string_view content_type_;  // a literal
  std::string_view unowned_;       // the body, unless its data() is null
  std::string body_;
  std::string fields_;  // complete field lines
};

}  // namespace umcg::http
