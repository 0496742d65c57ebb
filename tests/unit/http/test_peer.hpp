// SPDX-License-Identifier: MIT
#pragma once

// The client's end of a connection that a service serves on a thread, without a network. A read
// that takes seconds fails the test instead of hanging it.

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include "umcg/http/header_fields.hpp"
#include "umcg/http/service.hpp"

namespace umcg::http::testing {

struct received_response {
  int status = 0;
  std::string head;  // status line and fields, with the empty line
  std::string body;

  std::optional<std::string> header(std::string_view name) const {
    const std::size_t line_end = head.find("\r\n");
    if (line_end == head.npos) return std::nullopt;
    const std::string_view lines =
        std::string_view(head).substr(line_end + 2, head.size() - line_end - 4);
    const auto found = header_fields(lines).find(name);
    return found ? std::optional<std::string>(*found) : std::nullopt;
  }
};

class test_peer {
 public:
  explicit test_peer(service& served) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    fd_ = ends[0];
    const timeval patience = {5, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    server_ = std::thread([&served, fd = ends[1]] { served.serve(net::stream(fd)); });
  }
  ~test_peer() {
    ::close(fd_);
    server_.join();
  }
  test_peer(const test_peer&) = delete;
  test_peer& operator=(const test_peer&) = delete;

  void send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0) return;  // the service hung up, as it may
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  // Returns when the service has read all that was sent, so that what is sent next is read apart
  // from it.
  void wait_until_read() const {
    int unread = 1;
    while (::ioctl(fd_, TIOCOUTQ, &unread) == 0 && unread > 0) std::this_thread::yield();
  }

  void finish_sending() const { ::shutdown(fd_, SHUT_WR); }

  // The next response. `to_head`: to a HEAD request, so without a body.
  received_response receive(bool to_head = false) {
    received_response result;
    std::size_t head_end;
    while ((head_end = pending_.find("\r\n\r\n")) == pending_.npos) {
      if (!receive_more()) return result;
    }
    result.head = take(head_end + 4);
    std::from_chars(result.head.data() + 9, result.head.data() + 12, result.status);
    const std::string length = result.header("Content-Length").value_or("0");
    std::size_t body_bytes = 0;
    std::from_chars(length.data(), length.data() + length.size(), body_bytes);
    if (to_head) body_bytes = 0;
    while (pending_.size() < body_bytes) {
      if (!receive_more()) return {};
    }
    result.body = take(body_bytes);
    return result;
  }

  // Everything up to the end of the stream.
  std::string receive_all() {
    while (receive_more()) continue;
    return std::exchange(pending_, {});
  }

  // True: the service has closed its side and nothing is left to read.
  bool ended() {
    while (pending_.empty() && receive_more()) continue;
    return pending_.empty() && ended_;
  }

 private:
  std::string take(std::size_t size) {
    std::string taken = pending_.substr(0, size);
    pending_.erase(0, size);
    return taken;
  }

  bool receive_more() {
    char bytes[4096];
    const ssize_t count = ::recv(fd_, bytes, sizeof bytes, 0);
    if (count > 0) pending_.append(bytes, static_cast<std::size_t>(count));
    if (count == 0) ended_ = true;
    if (count < 0) ADD_FAILURE() << "nothing was received for too long, or the connection reset";
    return count > 0;
  }

  int fd_ = -1;
  bool ended_ = false;
  std::string pending_;
  std::thread server_;
};

}  // namespace umcg::http::testing
