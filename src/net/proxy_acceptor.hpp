// SPDX-License-Identifier: MIT
#pragma once

// Accepts connections that begin with a header of the PROXY protocol. A connection whose header has
// not come keeps nobody waiting: it is in an epoll set beside the listening socket, and an accept()
// waits for the whole set. What is done then does not block, so a mutex of plain threads is enough.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <system_error>

#include "base/unique_fd.hpp"
#include "net/proxy_header_parser.hpp"
#include "umcg/deadline.hpp"
#include "umcg/net/proxy_protocol.hpp"
#include "umcg/net/stream.hpp"

namespace umcg::net {

class proxy_acceptor {
 public:
  // So many connections wait for their headers at most; the oldest one has to make room.
  static constexpr std::size_t waiting_max = 1024;

  // `listening` is the caller's, and is put into non-blocking mode. Errors: no_descriptors,
  // invalid_argument (nobody is trusted).
  proxy_acceptor(int listening, const proxy_protocol& expected, std::error_code& error);
  proxy_acceptor(const proxy_acceptor&) = delete;
  proxy_acceptor& operator=(const proxy_acceptor&) = delete;

  // As listener::accept(), with errors as the kernel names them. A connection with another
  // beginning is closed and not returned. Any number of workers and threads may call it at once.
  stream accept(deadline until, std::error_code& error);

 private:
  struct newcomer {
    base::unique_fd fd;
    deadline until;
    std::string received;  // of its header
  };
  using newcomers = std::map<std::uint64_t, newcomer>;  // by the order in which they came

  bool is_trusted(const sockaddr_storage& peer, socklen_t size) const;
  stream find_complete(std::error_code& error);
  stream accept_one(bool shut, std::error_code& error);
  void start_waiting(base::unique_fd fd);
  stream read_header(std::uint64_t number);
  void drop_late();
  deadline next_due();

  const int listening_;
  const proxy_protocol expected_;
  base::unique_fd set_;
  std::mutex mutex_;
  newcomers waiting_;            // under the mutex
  std::uint64_t newcomers_ = 0;  // under the mutex: so many ever
};

}  // namespace umcg::net
