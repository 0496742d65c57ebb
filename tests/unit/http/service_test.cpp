// SPDX-License-Identifier: MIT

#include "umcg/http/service.hpp"

#include <future>
#include <stdexcept>
#include <string>
#include <thread>

#include <asio/read.hpp>
#include <gtest/gtest.h>

#include "unit/sched/group_test.hpp"

namespace umcg::http {
namespace {

response answer(const service& served, std::string_view line) {
  return served.answer(request::parse(std::string(line) + " HTTP/1.1\r\nHost: a\r\n\r\n"));
}

TEST(service, answers_without_a_network) {
  service served({.servers = 4});
  served.get("/{name}", [](const request& asked) {
    return response::text("Hello, " + std::string(asked.path_parameter("name")));
  });
  EXPECT_EQ(answer(served, "GET /you").body(), "Hello, you");
}

TEST(service, has_a_function_for_each_usual_method) {
  service served;
  const auto method = [](const request& asked) { return response::text(asked.method()); };
  served.get("/", method).post("/", method).put("/", method).del("/", method);
  served.route("PATCH", "/", method);
  for (const char* name : {"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"}) {
    EXPECT_EQ(answer(served, std::string(name) + " /").body(), name);
  }
}

TEST(service, tells_unknown_paths_from_unknown_methods) {
  service served;
  served.get("/a", [](const request&) { return response(); });
  EXPECT_EQ(answer(served, "GET /b").status(), status::not_found);
  const response reply = answer(served, "PUT /a");
  EXPECT_EQ(reply.status(), status::method_not_allowed);
  EXPECT_EQ(reply.header("Allow"), "GET, HEAD");
  EXPECT_EQ(answer(served, "BREW /a").status(), status::not_implemented);
  EXPECT_EQ(answer(served, "BREW /b").status(), status::not_implemented);
}

TEST(service, lists_its_methods_for_the_asterisk) {
  service served;
  served.get("/a", [](const request&) { return response(); });
  served.post("/b", [](const request&) { return response(); });
  const response reply = answer(served, "OPTIONS *");
  EXPECT_EQ(reply.status(), status::no_content);
  EXPECT_EQ(reply.header("Allow"), "GET, HEAD, POST");
}

std::string logged(const handler& failing, std::string_view line) {
  service served;
  served.get("/{x}", failing);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(answer(served, line).status(), status::internal_server_error);
  return ::testing::internal::GetCapturedStderr();
}

TEST(service, answers_500_for_a_handler_that_fails_and_says_why_on_one_line) {
  EXPECT_EQ(
      logged([](const request&) -> response { throw std::runtime_error("a\nb\x1b"); }, "GET /p?q"),
      "umcg: request 0-0 GET /p: handler failed: a b \n");
  EXPECT_EQ(logged([](const request&) -> response { throw 1; }, "GET /p"),
            "umcg: request 0-0 GET /p: handler failed: it threw something that is not a "
            "std::exception\n");
  EXPECT_EQ(logged([](const request&) -> response { return static_cast<status>(100); }, "GET /p"),
            "umcg: request 0-0 GET /p: handler failed: its status is not one of 200 to 599\n");
  const std::string cut =
      logged([](const request&) -> response { throw std::runtime_error(std::string(1'000, 'x')); },
             "GET /" + std::string(1'000, 'p'));
  EXPECT_LE(cut.size(), 512U);
  EXPECT_EQ(std::count(cut.begin(), cut.end(), '\n'), 1);
  EXPECT_TRUE(cut.ends_with("x\n"));
}

TEST(service, hears_of_its_clients_through_a_proxy) {
  const std::string missing = testing::why_no_group();
  if (!missing.empty()) GTEST_SKIP() << missing;
  std::promise<net::endpoint> ready;
  service served({.servers = 1,
                  .proxy = net::proxy_protocol{.trusted = {net::parse_address_range("127.0.0.1")}},
                  .on_ready = [&](const net::endpoint& where, const std::string&) {
                    ready.set_value(where);
                  }});
  served.get("/", [](const request& asked) {
    return response::text(net::to_string(asked.remote_endpoint()));
  });
  std::thread running([&] { EXPECT_EQ(served.run("127.0.0.1:0"), 0); });
  auto proxy = net::stream::connect(ready.get_future().get(), testing::patience());
  proxy.expires_at(testing::patience());
  proxy.write(
      asio::buffer(std::string("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
                               "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")));
  std::string reply;
  std::error_code error;
  asio::read(proxy, asio::dynamic_buffer(reply), error);
  EXPECT_TRUE(reply.ends_with("\r\n\r\n192.0.2.1:56324")) << reply;
  served.stop();
  running.join();
}

}  // namespace
}  // namespace umcg::http
