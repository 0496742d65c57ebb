// SPDX-License-Identifier: MIT

// Listening, accepting and stopping: where connections become workers.

#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <asio/error.hpp>

#include "http/accept_shortage.hpp"
#include "http/connection.hpp"
#include "http/service_core.hpp"
#include "umcg/diagnosis.hpp"
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

void log(const std::string& line) noexcept {
  if (!line.empty()) std::fwrite(line.data(), 1, line.size(), stderr);
}

// A handshake leaves much behind in the worker that makes it: a deep stack, OpenSSL's random number
// generators, malloc's caches. So workers that do nothing else make them, one after the other, and
// the connection lives on in one that owns nothing of that: 12 of 46 KiB less for each idle one.
void shake_hands(net::stream peer, group& workers, service_core& service) {
  auto connection = std::make_unique<open_connection>(std::move(peer), service);
  if (!connection->listed.admitted() || !secure_connection(*connection, service)) return;
  std::error_code error;
  workers
      .spawn(
          [connection = std::move(connection), &service] { serve_requests(*connection, service); },
          {.name = "connection"}, error)
      .detach();
  // There is no memory for another worker, and the connection has gone with it.
  if (error) log(service.failed_handshakes.add("a client", error, deadline::clock::now()));
}

worker spawn_connection(net::stream peer, group& workers, service_core& service,
                        std::error_code& error) {
  if (service.options.tls) {
    return workers.spawn([peer = std::move(peer), &workers,
                          &service]() mutable { shake_hands(std::move(peer), workers, service); },
                         {.name = "handshake"}, error);
  }
  return workers.spawn(
      [peer = std::move(peer), &service]() mutable { serve_connection(std::move(peer), service); },
      {.name = "connection"}, error);
}

// Runs on a worker of its own: each connection becomes another.
void accept_connections(net::listener& from, group& workers, service_core& service,
                        accept_shortage& shortage) {
  for (;;) {
    std::error_code error;
    net::stream peer = from.accept(deadline::never(), error);
    if (error == asio::error::operation_aborted) return;
    if (!error) spawn_connection(std::move(peer), workers, service, error).detach();
    if (!error) {
      log(shortage.over(deadline::clock::now()));
    } else {
      log(shortage.goes_on(from, error, deadline::clock::now()));
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
      listeners_.push_back(
          net::listener::bind(at, {.reuse_port = count > 1, .proxy = service.options.proxy}));
      at = listeners_.front().local_endpoint();
    }
    shortage_.emplace(net::to_string(at));
    for (net::listener& each : listeners_) {
      workers_.push_back(
          workers.spawn([this, &each, &workers,
                         &service] { accept_connections(each, workers, service, *shortage_); },
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
  std::optional<accept_shortage> shortage_;
  std::vector<worker> workers_;
};

void handle_dump_signal(std::string_view name) {
  struct choice {
    std::string_view name;
    int signal;
  };
  constexpr std::array choices = {choice{"SIGQUIT", SIGQUIT}, choice{"SIGUSR1", SIGUSR1},
                                  choice{"SIGUSR2", SIGUSR2}, choice{"SIGHUP", SIGHUP},
                                  choice{"none", 0}};
  const auto chosen = std::ranges::find(choices, name, &choice::name);
  auto error = std::make_error_code(std::errc::invalid_argument);
  if (chosen != choices.end()) diagnosis::dump_on_signal(chosen->signal, error);
  if (error) throw std::system_error(error, "dump_signal " + std::string(name));
}

sighup hears_sighup(const service_options& options) {
  return options.tls && options.dump_signal != "SIGHUP" ? sighup::heard : sighup::ignored;
}

// Connections go on with the certificates that they have.
void reload_certificates(std::string_view where, tls::server_context& context) {
  try {
    context.reload();
    report(where, "certificates reloaded");
  } catch (const std::exception& failure) {
    report(where, std::string("certificates not reloaded: ") + failure.what());
  }
}

void drain(service_core& service) {
  service.connections.drain();
  if (service.connections.wait_until_empty(deadline::after(service.options.drain_duration))) return;
  service.connections.end_all();
}

void serve_until_stopped(std::string_view where, service_core& service) {
  const service_options& options = service.options;
  std::error_code error;
  service.stopping.open(hears_sighup(options), error);
  if (error) throw std::system_error(error, "eventfd");
  handle_dump_signal(options.dump_signal);
  group workers = group::start({.servers = options.servers,
                                .kernel = options.kernel,
                                .reactor = options.reactor,
                                .quantum = options.quantum,
                                .hand_off = options.hand_off});
  {
    const acceptors accepting(where, workers, service);
    if (options.on_ready) options.on_ready(accepting.endpoint(), workers.description());
    while (service.stopping.wait() == stop_signal::reason::hang_up) {
      reload_certificates(where, *options.tls);
    }
  }
  drain(service);
  workers.stop();
}

}  // namespace

int service::run(std::string_view where) {
  const blocked_signals blocked(hears_sighup(core_->options));
  try {
    serve_until_stopped(where, *core_);
    return 0;
  } catch (const std::exception& failure) {
    report(where, failure.what());
    return 1;
  }
}

}  // namespace umcg::http
