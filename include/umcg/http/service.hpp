// SPDX-License-Identifier: MIT
#pragma once

// Answers HTTP/1.1 requests with functions. Every connection runs on a worker of its own, so a
// handler may block for as long as it likes: it holds up its connection and nothing else.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "umcg/hand_off.hpp"
#include "umcg/http/limits.hpp"
#include "umcg/http/request.hpp"
#include "umcg/http/response.hpp"
#include "umcg/net/listener.hpp"
#include "umcg/tls/context.hpp"

namespace umcg::http {

// Called by many workers at once. What it throws becomes a 500 and a line on standard error with
// the request's id.
using handler = std::function<response(const request&)>;

struct service_options {
  unsigned servers = 0;          // 0: one per usable CPU
  std::string kernel = "auto";   // how workers are run, see umcg::group_options
  std::string reactor = "auto";  // how they wait for I/O, see umcg::group_options
  std::chrono::milliseconds quantum = std::chrono::milliseconds(5);  // see umcg::group_options
  hand_off_options hand_off = {};
  http::limits limits = {};
  // With one, all connections are TLS. It has to outlive the service. run() reloads it on SIGHUP,
  // unless that is the dump_signal, and writes to standard error how that went.
  tls::server_context* tls = nullptr;
  std::string server_name = {};  // the Server field of responses; empty: none
  // How long requests that have begun may take to finish after stop(). Then their connections are
  // ended.
  std::chrono::milliseconds drain_duration = std::chrono::seconds(10);
  // Connections come through proxies that announce their clients: see net::listen_options.
  std::optional<net::proxy_protocol> proxy = {};
  // The signal on which run() writes a dump of all workers to standard error: SIGQUIT, SIGUSR1,
  // SIGUSR2, SIGHUP or none; see umcg::diagnosis.
  std::string dump_signal = "SIGQUIT";
  // Called once by run(), when connections are accepted, with the port that the kernel chose and
  // group::description(): the kernel half and the reactor in use, and why.
  std::function<void(const net::endpoint& where, const std::string& how)> on_ready = {};
};

class service_core;

class service {
 public:
  explicit service(service_options options = {});
  ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  // Patterns are absolute paths such as "/", "/users/{id}" and "/users/{id}/name". A {parameter}
  // stands for one segment that is not empty, "." or "..". A literal segment is preferred over a
  // parameter; patterns that differ only by method share their path; "/a" and "/a/" differ. GET
  // answers HEAD too, unless HEAD has a handler. Not while serving. Errors: std::invalid_argument
  // for a bad pattern or method, or one that is already taken.
  service& get(std::string_view pattern, handler answer);
  service& post(std::string_view pattern, handler answer);
  service& put(std::string_view pattern, handler answer);
  service& del(std::string_view pattern, handler answer);
  service& route(std::string_view method, std::string_view pattern, handler answer);

  // The response to `request`: of its handler, or 404, 405, 500 or 501. Needs no network and no
  // worker.
  response answer(const request& request) const;

  // Serves one connection, with TLS if the options say so, to its end, in the calling worker or
  // thread.
  void serve(net::stream peer);

  // Listens at `where` ("127.0.0.1:8080", see net::parse_endpoint) until SIGTERM, SIGINT or stop(),
  // then drains: accepts no more, ends idle connections, lets requests finish that have begun, and
  // joins. Returns 0; if it cannot start, a line on standard error says why, and it returns 1.
  // Blocks the two signals, and with TLS SIGHUP, in the calling thread while it runs; other threads
  // of the program should block them too. The dump signal stays handled afterwards.
  int run(std::string_view where);

  // How many TLS handshakes have failed, or have come to nothing for want of memory. Those whose
  // peer has not just gone away are also on standard error, one line a second. Any thread may call
  // it.
  std::uint64_t failed_handshakes() const noexcept;

  // Ends run(), also one that has not begun. Any thread may call it, a handler too.
  void stop() noexcept;

 private:
  std::unique_ptr<service_core> core_;
};

}  // namespace umcg::http
