// SPDX-License-Identifier: MIT

#include "umcg/http/request.hpp"

#include <stdexcept>

#include "http/escapes.hpp"
#include "http/peer_stream.hpp"
#include "http/request_parser.hpp"
#include "http/route.hpp"

namespace umcg::http {

std::string request_id::to_string() const {
  return std::to_string(connection) + '-' + std::to_string(number);
}

request request::parse(std::string_view message, std::error_code& error) {
  request result;
  const parse_result head = parse_request_head(message, limits{}, result.head_);
  const bool whole = head.outcome == parsed::complete && !result.head_.chunked &&
                     message.size() - head.consumed == result.head_.content_length;
  if (!whole) {
    error = std::make_error_code(std::errc::bad_message);
    return {};
  }
  error.clear();
  result.body_ = message.substr(head.consumed);
  return result;
}

request request::parse(std::string_view message) {
  std::error_code error;
  request result = parse(message, error);
  if (error) throw std::system_error(error, "http::request::parse");
  return result;
}

std::string_view request::path_parameter(std::string_view name) const {
  const std::size_t count = route_ ? route_->parameters.size() : 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (route_->parameters[i] != name) continue;
    const std::string_view text = decoded_.empty() ? head_.path : std::string_view(decoded_);
    return text.substr(parameters_[i].offset, parameters_[i].length);
  }
  throw std::out_of_range("no path parameter {" + std::string(name) + "} in route \"" +
                          (route_ ? route_->pattern : std::string()) + '"');
}

std::optional<std::string> request::query_parameter(std::string_view name) const {
  std::string_view rest = head_.query;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (decode_form_value(pair.substr(0, equals)) != name) continue;
    return decode_form_value(pair.substr(std::min(equals + 1, pair.size())));
  }
  return std::nullopt;
}

net::endpoint request::remote_endpoint() const {
  std::error_code error;
  return peer_ ? peer_->socket().remote_endpoint(error) : net::endpoint();
}

bool request::secure() const noexcept { return peer_ && peer_->secured(); }

std::optional<tls::peer_identity> request::client_identity() const {
  if (!secure()) return std::nullopt;
  return peer_->secured()->peer();
}

}  // namespace umcg::http
