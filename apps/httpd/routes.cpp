// SPDX-License-Identifier: MIT

#include "httpd/routes.hpp"

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "umcg/http.hpp"

namespace httpd {
namespace {

namespace http = umcg::http;
using std::chrono::milliseconds;

constexpr milliseconds sleep_max(60'000);

http::response list_routes(const http::request&);

http::response plaintext(const http::request&) {
  return http::response::unowned("Hello, World!", "text/plain; charset=utf-8");
}

http::response json(const http::request&) {
  return http::response::unowned(R"({"message":"Hello, World!"})", "application/json");
}

http::response hello(const http::request& asked) {
  return http::response::text("Hello, " + std::string(asked.path_parameter("name")) + "!\n");
}

// Nothing unless all of `text` is a number of milliseconds up to sleep_max.
std::optional<milliseconds> parse_sleep(std::string_view text) {
  unsigned number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end || milliseconds(number) > sleep_max) return std::nullopt;
  return milliseconds(number);
}

http::response sleep(const http::request& asked) {
  const auto duration = parse_sleep(asked.query_parameter("ms").value_or(""));
  if (!duration) {
    return http::response::text("ms has to be a whole number from 0 to " +
                                    std::to_string(sleep_max.count()) + ": /sleep?ms=250\n",
                                http::status::bad_request);
  }
  umcg::sleep_until(umcg::deadline::after(*duration));
  return http::response::text("Slept for " + std::to_string(duration->count()) + " ms.\n");
}

http::response echo(const http::request& asked) {
  http::response reply = http::response::bytes(std::string(asked.body()));
  if (const auto type = asked.header("Content-Type")) reply.set_header("Content-Type", *type);
  return reply;
}

struct route {
  std::string_view method;
  std::string_view pattern;
  std::string_view about;
  http::response (*answer)(const http::request&);
};

constexpr route routes[] = {
    {"GET", "/", "this list", list_routes},
    {"GET", "/plaintext", "\"Hello, World!\" as text", plaintext},
    {"GET", "/json", "\"Hello, World!\" as JSON", json},
    {"GET", "/sleep", "waits ?ms=N milliseconds, 0 to 60000, then answers", sleep},
    {"GET", "/hello/{name}", "greets", hello},
    {"POST", "/echo", "sends the request's body back", echo},
};

std::string routes_as_text() {
  std::string text = "umcg-httpd: each connection runs on its own worker.\n\n";
  for (const route& each : routes) {
    std::string line(each.method);
    line.resize(5, ' ');
    line.append(each.pattern).resize(20, ' ');
    text.append(line).append(each.about).append("\n");
  }
  return text;
}

http::response list_routes(const http::request&) { return http::response::text(routes_as_text()); }

}  // namespace

void add_routes(http::service& to) {
  for (const route& each : routes) to.route(each.method, each.pattern, each.answer);
}

}  // namespace httpd
