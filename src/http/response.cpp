// SPDX-License-Identifier: MIT

#include "umcg/http/response.hpp"

#include <utility>

#include "http/field_line.hpp"

namespace umcg::http {
namespace {

constexpr std::string_view plain_text = "text/plain; charset=utf-8";

bool is_all(std::string_view text, characters::kind kind) {
  const char* const end = text.data() + text.size();
  return characters::skip(text.data(), end, kind) == end;
}

bool is_the_services_own(std::string_view name) {
  return equal_ignoring_case(name, "content-length") ||
         equal_ignoring_case(name, "transfer-encoding") || equal_ignoring_case(name, "connection");
}

void throw_if(const std::error_code& error, std::string_view name) {
  if (!error) return;
  throw std::system_error(error, "header field \"" + std::string(name) +
                                     "\": its name is not a token, its value has control bytes, "
                                     "or it is the service's to write");
}

}  // namespace

response response::text(std::string body, http::status code) {
  return response(std::move(body), plain_text, code);
}

response response::json(std::string body, http::status code) {
  return response(std::move(body), "application/json", code);
}

response response::bytes(std::string body, http::status code) {
  return response(std::move(body), "application/octet-stream", code);
}

response response::bytes(std::span<const std::byte> body, http::status code) {
  return bytes(std::string(reinterpret_cast<const char*>(body.data()), body.size()), code);
}

response response::unowned(std::string_view body, std::string_view content_type) noexcept {
  response result(std::string(), content_type, http::status::ok);
  result.unowned_ = body;
  return result;
}

response response::error(http::status code) {
  std::string body = std::to_string(static_cast<unsigned>(code));
  body += ' ';
  body += reason_phrase(code);
  body += '\n';
  return text(std::move(body), code);
}

response& response::set_status(http::status code) noexcept {
  status_ = code;
  return *this;
}

response& response::set_body(std::string body) noexcept {
  body_ = std::move(body);
  unowned_ = {};
  return *this;
}

response& response::close_connection() noexcept {
  closes_connection_ = true;
  return *this;
}

response& response::add_header(std::string_view name, std::string_view value,
                               std::error_code& error) {
  value = without_whitespace(value.data(), value.data() + value.size());
  error.clear();
  if (equal_ignoring_case(name, "connection") && equal_ignoring_case(value, "close")) {
    return close_connection();
  }
  if (name.empty() || !is_all(name, characters::token) || !is_all(value, characters::field_value) ||
      is_the_services_own(name)) {
    error = std::make_error_code(std::errc::invalid_argument);
    return *this;
  }
  if (equal_ignoring_case(name, "content-type")) content_type_ = {};
  if (equal_ignoring_case(name, "date")) has_date_ = true;
  fields_.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

response& response::set_header(std::string_view name, std::string_view value,
                               std::error_code& error) {
  const std::size_t before = fields_.size();
  add_header(name, value, error);
  if (error || fields_.size() == before) return *this;
  std::string added = fields_.substr(before);
  fields_.resize(before);
  remove_header(name);
  fields_ += added;
  return *this;
}

response& response::add_header(std::string_view name, std::string_view value) {
  std::error_code error;
  add_header(name, value, error);
  throw_if(error, name);
  return *this;
}

response& response::set_header(std::string_view name, std::string_view value) {
  std::error_code error;
  set_header(name, value, error);
  throw_if(error, name);
  return *this;
}

void response::remove_header(std::string_view name) {
  std::string kept;
  for (const header_field& field : headers()) {
    if (equal_ignoring_case(field.name, name)) continue;
    kept.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  fields_ = std::move(kept);
}

std::optional<std::string_view> response::header(std::string_view name) const noexcept {
  if (!content_type_.empty() && equal_ignoring_case(name, "content-type")) return content_type_;
  return headers().find(name);
}

}  // namespace umcg::http
