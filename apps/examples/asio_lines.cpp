// SPDX-License-Identifier: MIT

// Asio's algorithms on blocking streams, and nothing is blocked: one kernel thread runs a server of
// lines and a hundred clients of it, all of them in turn. Ends with 0 if every line came back.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

#include <umcg/group.hpp>
#include <umcg/net/listener.hpp>
#include <umcg/task_group.hpp>

namespace net = umcg::net;

namespace {

constexpr int clients = 100;
constexpr int lines_each = 10;

umcg::deadline patience() { return umcg::deadline::after(std::chrono::seconds(30)); }

// Sends every line back, until the client has no more.
void answer_lines(net::stream peer) {
  peer.expires_at(patience());
  std::string text;
  std::error_code error;
  for (;;) {
    const std::size_t size = asio::read_until(peer, asio::dynamic_buffer(text), '\n', error);
    if (error) return;
    asio::write(peer, asio::buffer(text, size));
    text.erase(0, size);
  }
}

// Connects to whichever of the addresses answers.
net::stream connect(const asio::ip::tcp::resolver::results_type& addresses) {
  std::error_code error = asio::error::not_found;
  for (const auto& each : addresses) {
    net::stream peer = net::stream::connect(each.endpoint(), patience(), error);
    if (!error) return peer;
  }
  throw std::system_error(error, "connect");
}

// How many of its lines came back as they were sent.
int ask(int client, const asio::ip::tcp::resolver::results_type& addresses) {
  net::stream peer = connect(addresses);
  peer.expires_at(patience());
  int right = 0;
  for (int i = 0; i < lines_each; ++i) {
    const std::string line = std::to_string(client) + ", " + std::to_string(i) + "\n";
    asio::write(peer, asio::buffer(line));
    std::string text;
    asio::read_until(peer, asio::dynamic_buffer(text), '\n');
    if (text == line) ++right;
  }
  return right;
}

}  // namespace

int main() {
  umcg::group workers = umcg::group::start({.servers = 1});
  net::listener accepting = net::listener::bind(net::parse_endpoint("127.0.0.1:0"));
  umcg::worker server = workers.spawn([&] {
    for (;;) {
      std::error_code error;
      net::stream peer = accepting.accept(umcg::deadline::never(), error);
      if (error) return;
      workers.spawn([peer = std::move(peer)]() mutable { answer_lines(std::move(peer)); }).detach();
    }
  });

  const auto addresses = asio::ip::tcp::resolver::results_type::create(accepting.local_endpoint(),
                                                                       "localhost", "lines");
  std::atomic<int> right{0};
  umcg::task_group all;
  for (int client = 0; client < clients; ++client) {
    all.spawn(workers, [&, client] { right += ask(client, addresses); });
  }
  all.join();
  accepting.stop();
  server.join();
  std::printf("%d of %d lines came back\n", right.load(), clients * lines_each);
  return right == clients * lines_each ? 0 : 1;
}
