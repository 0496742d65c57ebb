// SPDX-License-Identifier: MIT

// One worker connects all sockets, without blocking, and waits for an epoll set of them: for the
// first that is decided or the next that is due. Rejected: a worker for each attempt, in a task
// group. It would need to know a group, which a plain thread has none of, and a stack for each.

#include "umcg/net/connect.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "io/operations.hpp"
#include "net/address_order.hpp"
#include "net/error_code.hpp"
#include "sched/bounds.hpp"

namespace umcg::net {
namespace {

class race {
 public:
  // Errors: no_descriptors.
  explicit race(std::error_code& error) : set_(::epoll_create1(EPOLL_CLOEXEC)) {
    error = set_ ? std::error_code() : last_error();
  }

  // Begins one attempt.
  void begin(const endpoint& to) {
    base::unique_fd fd(
        ::socket(to.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return fail(last_error());
    const int result = ::connect(fd.get(), to.data(), static_cast<socklen_t>(to.size()));
    if (result != 0 && errno != EINPROGRESS && errno != EINTR) return fail(last_error());
    epoll_event decided{};
    decided.events = EPOLLOUT;
    decided.data.fd = fd.get();
    if (::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd.get(), &decided) != 0) return fail(last_error());
    under_way_.push_back(std::move(fd));
  }

  // Waits for a decision. Errors: timed_out, operation_aborted.
  void wait(deadline until, std::error_code& error) {
    io::wait_until_ready(set_.get(), POLLIN, until, error);
    if (error) {
      error = named_error(error);
      return;
    }
    std::array<epoll_event, 16> events;
    const int count = ::epoll_wait(set_.get(), events.data(), events.size(), 0);
    const auto seen = static_cast<std::size_t>(std::max(count, 0));
    for (std::size_t at = 0; at < seen && !winner_; ++at) decide(events[at].data.fd);
  }

  bool won() const noexcept { return static_cast<bool>(winner_); }
  bool undecided() const noexcept { return !under_way_.empty(); }
  // Of the attempt that failed last.
  const std::error_code& failure() const noexcept { return failure_; }

  // The socket that connected, as all others are: blocking.
  base::unique_fd take_winner() noexcept {
    ::fcntl(winner_.get(), F_SETFL, ::fcntl(winner_.get(), F_GETFL) & ~O_NONBLOCK);
    return std::move(winner_);
  }

 private:
  void fail(const std::error_code& why) { failure_ = why; }

  void decide(int number) {
    const auto found = std::ranges::find(under_way_, number, &base::unique_fd::get);
    base::unique_fd fd = std::move(*found);
    under_way_.erase(found);
    int outcome = 0;
    socklen_t size = sizeof outcome;
    ::getsockopt(number, SOL_SOCKET, SO_ERROR, &outcome, &size);
    if (outcome == 0) {
      winner_ = std::move(fd);
    } else {
      fail(named_error({outcome, std::system_category()}));
    }
  }

  base::unique_fd set_;
  std::vector<base::unique_fd> under_way_;
  base::unique_fd winner_;
  std::error_code failure_;
};

// Until one has won, or all have failed, or time is up.
void run(race& racing, std::span<const endpoint> order, deadline until,
         const connect_options& options, std::error_code& error) {
  for (std::size_t next = 0; !racing.won();) {
    const bool more = next < order.size();
    if (more) racing.begin(order[next++]);
    if (!racing.undecided()) {
      if (next < order.size()) continue;
      error = racing.failure();
      return;
    }
    const bool others = next < order.size();
    const deadline due = others ? deadline::after(options.attempt_delay) : deadline::never();
    racing.wait(std::min(until, due), error);
    if (error && (error != asio::error::timed_out || !others || until.passed())) return;
    error.clear();
  }
}

stream made_of(base::unique_fd fd, std::error_code& error) {
  stream connected(fd.release());
  connected.set_no_delay(true, error);
  return error ? stream() : std::move(connected);
}

std::vector<endpoint> endpoints_of(const resolved& names) {
  std::vector<endpoint> endpoints;
  for (const auto& entry : names) endpoints.push_back(entry.endpoint());
  return endpoints;
}

}  // namespace

stream connect(std::span<const endpoint> addresses, deadline until, const connect_options& options,
               std::error_code& error) {
  if (addresses.empty()) {
    error = asio::error::invalid_argument;
    return {};
  }
  race racing(error);
  if (error) return {};
  // Of a scope around the caller, too: a wait that it ends is not one for the next address.
  run(racing, alternating(addresses), sched::bounded(until), options, error);
  if (error) return {};
  return made_of(racing.take_winner(), error);
}

stream connect(std::span<const endpoint> addresses, deadline until,
               const connect_options& options) {
  std::error_code error;
  stream connected = connect(addresses, until, options, error);
  if (error) {
    const std::string where = addresses.empty() ? "no address" : to_string(addresses.front());
    throw std::system_error(error, "connect to " + where);
  }
  return connected;
}

stream connect(std::string_view host, std::string_view service, deadline until,
               const connect_options& options, std::error_code& error) {
  const resolved names = resolve(host, service, until, error);
  if (error) return {};
  return connect(endpoints_of(names), until, options, error);
}

stream connect(std::string_view host, std::string_view service, deadline until,
               const connect_options& options) {
  std::error_code error;
  stream connected = connect(host, service, until, options, error);
  if (error) {
    throw std::system_error(error, "connect to " + std::string(host) + ':' + std::string(service));
  }
  return connected;
}

}  // namespace umcg::net
