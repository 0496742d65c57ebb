// SPDX-License-Identifier: MIT

// Any bytes on a connection, arriving at once or one by one: the service answers with well-formed
// responses, the same ones either way, and ends the connection.

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "umcg/http/service.hpp"

namespace {

using namespace umcg::http;

void require(bool holds) {
  if (!holds) std::abort();
}

// So that no body begins as a response does.
std::string bracketed(std::string_view text) { return '<' + std::string(text) + '>'; }

service& served() {
  static service* const one = [] {
    auto* const made = new service({.servers = 1});
    made->get("/{name}", [](const request& asked) {
      return response::text(bracketed(asked.path_parameter("name")));
    });
    made->post("/", [](const request& asked) { return response::text(bracketed(asked.body())); });
    return made;
  }();
  return *one;
}

// The statuses of the responses and their bodies' sizes; without the date, which may change in
// between.
std::string digest(std::string_view responses) {
  std::string result;
  while (!responses.empty()) {
    require(responses.starts_with("HTTP/1.1 "));
    const std::size_t head_end = responses.find("\r\n\r\n");
    require(head_end != responses.npos);
    const std::string head(responses.substr(0, head_end));
    const std::size_t length = head.find("Content-Length: ");
    std::size_t body =
        length == head.npos ? 0 : std::strtoul(head.c_str() + length + 16, nullptr, 10);
    if (!head.starts_with("HTTP/1.1 100 "))
      result += head.substr(9, 3) + ' ' + std::to_string(body) + '\n';
    responses.remove_prefix(head_end + 4);
    const bool to_head = responses.empty() || responses.starts_with("HTTP/1.1 ");
    if (to_head) body = 0;
    require(body <= responses.size());
    responses.remove_prefix(body);
  }
  return result;
}

// All that the service answers to `input`, which arrives in pieces: a packet is what one read gets.
std::string converse(std::string_view input, std::size_t piece) {
  int ends[2];
  require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
    require(::send(ends[0], input.data(), std::min(piece, input.size()), MSG_DONTWAIT) > 0);
  }
  ::shutdown(ends[0], SHUT_WR);
  served().serve(umcg::net::stream(ends[1]));
  std::string responses;
  static char bytes[128 * 1024];
  for (ssize_t count; (count = ::recv(ends[0], bytes, sizeof bytes, 0)) > 0;) {
    responses.append(bytes, static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  return responses;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 200)
    return 0;  // as many packets as a socket holds, so that no second thread is needed
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  require(digest(converse(input, 200)) == digest(converse(input, 1)));
  return 0;
}
