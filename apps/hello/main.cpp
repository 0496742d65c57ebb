// SPDX-License-Identifier: MIT

// The program on the first screen of the README.

#include <umcg/http.hpp>
using namespace std::chrono_literals;
namespace http = umcg::http;

// Every request runs on its own worker. Blocking here blocks this request and nothing else.
http::response hello(const http::request& request) {
  umcg::sleep_for(10ms);  // a query, a file, a lock: anything that waits
  return http::response::text("Hello, " + std::string(request.path_parameter("name")) + "!\n");
}

int main() {
  http::service service({.servers = 4});
  service.get("/hello/{name}", hello);
  return service.run("127.0.0.1:8080");  // until SIGTERM: stops accepting, drains, joins
}
