// SPDX-License-Identifier: MIT

#include "umcg/http/service.hpp"

#include <utility>

#include "http/connection.hpp"
#include "http/service_core.hpp"

namespace umcg::http {

service::service(service_options options)
    : core_(std::make_unique<service_core>(std::move(options))) {}
service::~service() = default;

service& service::route(std::string_view method, std::string_view pattern, handler answer) {
  core_->routes.add(method, pattern, std::move(answer));
  return *this;
}

service& service::get(std::string_view pattern, handler answer) {
  return route("GET", pattern, std::move(answer));
}

service& service::post(std::string_view pattern, handler answer) {
  return route("POST", pattern, std::move(answer));
}

service& service::put(std::string_view pattern, handler answer) {
  return route("PUT", pattern, std::move(answer));
}

service& service::del(std::string_view pattern, handler answer) {
  return route("DELETE", pattern, std::move(answer));
}

response service::answer(const request& request) const {
  auto routed = request;
  return core_->answer(routed);
}

void service::serve(net::stream peer) { serve_connection(std::move(peer), *core_); }

std::uint64_t service::failed_handshakes() const noexcept {
  return core_->failed_handshakes.count();
}

void service::stop() noexcept { core_->stopping.raise(); }

}  // namespace umcg::http
