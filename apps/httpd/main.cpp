// SPDX-License-Identifier: MIT

// umcg-httpd: an HTTP server to try the library with, and to measure it by.

#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "httpd/command_line.hpp"
#include "httpd/configuration.hpp"
#include "httpd/routes.hpp"
#include "umcg/http/service.hpp"

namespace {

// Each connection is a file descriptor, and the usual soft limit is 1,024. It protects programs
// that use select(), which this one does not.
void raise_descriptor_limit() {
  rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) std::perror("umcg-httpd: setrlimit RLIMIT_NOFILE");
}

std::string count_of(unsigned servers) {
  if (servers == 0) return "one server per CPU";
  return std::to_string(servers) + (servers == 1 ? " server" : " servers");
}

int serve(httpd::configuration settings, umcg::tls::server_context* tls) {
  const std::string servers = count_of(settings.service.servers);
  const char* const scheme = tls ? "https" : "http";
  settings.service.tls = tls;
  settings.service.proxy = httpd::to_proxy_protocol(settings.proxy);
  settings.service.on_ready = [&servers, scheme](const umcg::net::endpoint& where,
                                                 const std::string& how) {
    std::printf("umcg-httpd listening on %s://%s/ (%s; %s)\n", scheme,
                umcg::net::to_string(where).c_str(), servers.c_str(), how.c_str());
    std::fflush(stdout);
  };
  umcg::http::service service(std::move(settings.service));
  httpd::add_routes(service);
  return service.run(settings.listen);
}

}  // namespace

int main(int argument_count, char** arguments) {
  const httpd::command_line chosen = httpd::parse_command_line(argument_count, arguments);
  if (chosen.exit_status) return *chosen.exit_status;

  httpd::configuration settings;
  if (!chosen.configuration_path.empty()) {
    const auto problems = httpd::read_configuration(chosen.configuration_path, settings);
    for (const std::string& each : problems) std::fprintf(stderr, "%s\n", each.c_str());
    if (!problems.empty()) return 1;
  }
  for (const auto& set : chosen.settings) set(settings);

  std::optional<umcg::tls::server_context> tls;
  try {
    tls = httpd::load_tls(settings.tls);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }

  if (chosen.check) {
    std::fputs(httpd::to_toml(settings).c_str(), stdout);
    return 0;
  }
  raise_descriptor_limit();
  return serve(std::move(settings), tls ? &*tls : nullptr);
}
