// SPDX-License-Identifier: MIT

// Listening, accepting and stopping: where connections become workers.

#include <cstdio>
#include <utility>
#include <vector>

#include <asio/error.hpp>

#include "http/connection.hpp"
#include "http/service_core.hpp"
#include "umcg/group.hpp"
#include "umcg/http/service.hpp"
#include "umcg/net/listener.hpp"
#include "umcg/worker.hpp"

namespace umcg::http {
namespace {

// How long a worker waits before it accepts again where descriptors or memory have run out. The
// connections wait in the kernel's queue meanwhile.
constexpr std::chrono::milliseconds accept_retry_duration(20);

void report(std::string_view where, std::string_view what) noexcept {
  std::fprintf(stderr, "umcg: service at %.*s: %.*s\n", static_cast<int>(where.size()),
               where.data(), static_cast<int>(what.size()), what.data());
}

// Runs on a worker of its own: each connection becomes another.
void accept_connections(net::listener& from, group& workers, service_core& service) {
  for (bool complained = false;;) {
    std::error_code error;
    net::stream peer = from.accept(deadline::never(), error);
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      workers
          .spawn([peer = std::move(peer),
                  &service]() mutable { serve_connection(std::move(peer), service); },
                 {.name = "connection"}, error)
          .detach();
    }
    if (!error) {
      complained = false;
    } else {
      // Once, not fifty times a second for as long as it lasts.
      if (!std::exchange(complained, true)) {
        report(net::to_string(from.local_endpoint()), "cannot accept: " + error.message());
      }
      sleep_for(accept_retry_duration);
    }
  }
}

// One listener for each server, all at one endpoint, and the workers that accept from them. The
// kernel spreads the connections.
class acceptors {
 public:
  acceptors(std::string_view where, group& workers, service_core& service) {
    const unsigned count = workers.servers();
    net::endpoint at = net::parse_endpoint(where);
    for (unsigned i = 0; i < count; ++i) {
      listeners_.push_back(net::listener::bind(at, {.reuse_port = count > 1}));
      at = listeners_.front().local_endpoint();
    }
    for (net::listener& each : listeners_) {
      workers_.push_back(
          workers.spawn([&each, &workers, &service] { accept_connections(each, workers, service); },
                        {.name = "accept"}));
    }
  }
  // Stops accepting, whether all of them were started or a failure came in between.
  ~acceptors() {
    for (net::listener& each : listeners_) each.stop();
    for (worker& each : workers_) each.join();
  }
  acceptors(const acceptors&) = delete;
  acceptors& operator=(const acceptors&) = delete;

  net::endpoint endpoint() const noexcept { return listeners_.front().local_endpoint(); }

 private:
  std::vector<net::listener> listeners_;
  std::vector<worker> workers_;
};

void drain(service_core& service) {
  service.connections.drain();
  if (service.connections.wait_until_empty(deadline::after(service.options.drain_duration))) return;
  service.connections.end_all();
}

void serve_until_stopped(std::string_view where, service_core& service) {
  const service_options& options = service.options;
  std::error_code error;
  service.stopping.open(error);
  if (error) throw std::system_error(error, "eventfd");
  group workers = group::start(
      {.servers = options.servers, .kernel = options.kernel, .reactor = options.reactor});
  {
    const acceptors accepting(where, workers, service);
    if (options.on_ready) options.on_ready(accepting.endpoint(), workers.description());
    service.stopping.wait();
  }
  drain(service);
  workers.stop();
}

}  // namespace

int service::run(std::string_view where) {
  const blocked_signals blocked;
  try {
    serve_until_stopped(where, *core_);
    return 0;
  } catch (const std::exception& failure) {
    report(where, failure.what());
    return 1;
  }
}

}  // namespace umcg::http
