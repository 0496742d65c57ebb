// SPDX-License-Identifier: MIT
#include "umcg/net/unix_endpoint.hpp"

#include <sys/un.h>

#include <asio/error.hpp>

namespace umcg::net {
namespace {

constexpr std::size_t size_max = sizeof(sockaddr_un::sun_path) - 1;

}  // namespace

unix_endpoint parse_unix_endpoint(std::string_view text, std::error_code& error) {
  const bool abstract = text.starts_with('@');
  error.clear();
  if (text.empty() || text == "@" || (!abstract && text.find('\0') != text.npos)) {
    error = asio::error::invalid_argument;
  } else if (text.size() > size_max) {
    error = asio::error::name_too_long;
  }
  if (error) return {};
  std::string name(text);
  if (abstract) name.front() = '\0';
  return unix_endpoint(name);
}

unix_endpoint parse_unix_endpoint(std::string_view text) {
  std::error_code error;
  unix_endpoint where = parse_unix_endpoint(text, error);
  if (error) {
    throw std::system_error(error, '"' + std::string(text) +
                                       "\" is not a path of a socket, such as /run/app.sock, or "
                                       "@ and a name");
  }
  return where;
}

std::string to_string(const unix_endpoint& where) {
  std::string text = where.path();
  if (text.starts_with('\0')) text.front() = '@';
  return text;
}

}  // namespace umcg::net
