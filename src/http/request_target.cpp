// SPDX-License-Identifier: MIT

#include "http/request_target.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace umcg::http {
namespace {

using characters::is;

constexpr step bad_request() { return step::refuse(status::bad_request); }

// The escapes of a path or a host, where no scan has looked at them yet.
bool escapes_are_sound(std::string_view text) noexcept {
  for (std::size_t i = text.find('%'); i != text.npos; i = text.find('%', i + 1)) {
    if (text.size() - i < 3 || !is(text[i + 1], characters::hexadecimal) ||
        !is(text[i + 2], characters::hexadecimal) || text.substr(i + 1, 2) == "00") {
      return false;
    }
  }
  return true;
}

// ":8080", or ":" or nothing, which mean the scheme's own.
bool is_port_or_nothing(std::string_view text) noexcept {
  if (text.empty()) return true;
  if (text.front() != ':' || text.size() > 6) return false;
  unsigned port = 0;
  for (const char c : text.substr(1)) {
    if (!is(c, characters::digit)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port <= 65535;
}

// What stands between the brackets of "[::1]". No zone, and no address of a future version.
bool is_ipv6_address(std::string_view text) noexcept {
  char terminated[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof terminated) return false;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = '\0';
  in6_addr address;
  return std::strlen(terminated) == text.size() && inet_pton(AF_INET6, terminated, &address) == 1;
}

step resolve_absolute_form(request_head& head) noexcept {
  const std::size_t scheme = head.target.find("://");
  if (scheme == head.target.npos) return bad_request();
  const std::string_view name = head.target.substr(0, scheme);
  if (!equal_ignoring_case(name, "http") && !equal_ignoring_case(name, "https")) {
    return bad_request();
  }
  std::string_view rest = head.target.substr(scheme + 3);
  const std::size_t host_end = std::min(rest.find_first_of("/?"), rest.size());
  head.host = rest.substr(0, host_end);
  if (head.host.empty() || head.host.front() == ':' || !is_host(head.host)) return bad_request();
  rest.remove_prefix(host_end);
  const std::size_t path_end = std::min(rest.find('?'), rest.size());
  head.path = rest.substr(0, path_end);
  head.query = rest.substr(std::min(path_end + 1, rest.size()));
  if (rest.empty() && head.method == "OPTIONS") {
    head.path = "*";  // what a proxy would have made of it (RFC 9112 3.2.4)
  } else if (head.path.empty()) {
    head.path = "/";
  }
  return escapes_are_sound(head.path) ? step::done() : bad_request();
}

}  // namespace

bool is_host(std::string_view text) noexcept {
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    return close != text.npos && is_ipv6_address(text.substr(1, close - 1)) &&
           is_port_or_nothing(text.substr(close + 1));
  }
  std::size_t name_end = 0;
  while (name_end < text.size() &&
         (is(text[name_end], characters::host_name) || text[name_end] == '%')) {
    ++name_end;
  }
  return is_port_or_nothing(text.substr(name_end)) && escapes_are_sound(text.substr(0, name_end));
}

step check_origin_form(const request_head& head) noexcept {
  return head.method == "CONNECT" ? bad_request() : step::done();
}

step resolve_other_form(request_head& head) noexcept {
  head.query = {};
  if (head.method == "CONNECT") {
    const std::size_t colon = head.target.rfind(':');
    const bool has_port = colon != head.target.npos && colon > 0 &&
                          colon + 1 < head.target.size() && is_host(head.target);
    return has_port ? step::refuse(status::not_implemented) : bad_request();
  }
  if (head.target == "*") {
    head.path = head.target;
    return head.method == "OPTIONS" ? step::done() : bad_request();
  }
  return resolve_absolute_form(head);
}

}  // namespace umcg::http
