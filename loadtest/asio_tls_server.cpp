// SPDX-License-Identifier: MIT

// A peer of the bench: HTTPS as Asio's users write it, callbacks on asio::ssl::stream and one
// thread. It finds where a request ends, answers fixed bytes, and nothing else; Asio's stream and
// OpenSSL are as they come, but for SSL_MODE_RELEASE_BUFFERS, which nginx and umcg set too.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <CLI/CLI.hpp>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/signal_set.hpp>
#include <asio/ssl.hpp>
#include <asio/write.hpp>

namespace {

using asio::ip::tcp;

constexpr std::size_t request_bytes_max = 2048;
constexpr int backlog = 4096;
constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\n"
    "Content-Length: 13\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    "\r\n"
    "Hello, World!";

class connection : public std::enable_shared_from_this<connection> {
 public:
  connection(tcp::socket socket, asio::ssl::context& context)
      : stream_(std::move(socket), context) {}

  void start() {
    std::error_code ignored;
    stream_.lowest_layer().set_option(tcp::no_delay(true), ignored);
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [self = shared_from_this()](std::error_code error) {
                              if (!error) self->read();
                            });
  }

 private:
  void read() {
    asio::async_read_until(stream_, asio::dynamic_buffer(input_, request_bytes_max), "\r\n\r\n",
                           [self = shared_from_this()](std::error_code error, std::size_t size) {
                             if (!error) self->write(size);
                           });
  }
  void write(std::size_t request_bytes) {
    input_.erase(0, request_bytes);
    asio::async_write(stream_, asio::buffer(answer),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        if (!error) self->read();
                      });
  }

  asio::ssl::stream<tcp::socket> stream_;
  std::string input_;
};

void accept(tcp::acceptor& from, asio::ssl::context& context) {
  from.async_accept([&from, &context](std::error_code error, tcp::socket socket) {
    if (error) return;
    std::make_shared<connection>(std::move(socket), context)->start();
    accept(from, context);
  });
}

tcp::endpoint parse_endpoint(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) throw std::system_error(asio::error::invalid_argument, text);
  const auto port = std::strtoul(text.c_str() + colon + 1, nullptr, 10);
  return {asio::ip::make_address(text.substr(0, colon)), static_cast<asio::ip::port_type>(port)};
}

void serve(const std::string& where, const std::string& chain, const std::string& key) {
  asio::io_context loop(1);
  asio::ssl::context context(asio::ssl::context::tls_server);
  context.use_certificate_chain_file(chain);
  context.use_private_key_file(key, asio::ssl::context::pem);
  SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  const tcp::endpoint at = parse_endpoint(where);
  tcp::acceptor acceptor(loop, at.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  acceptor.bind(at);
  acceptor.listen(backlog);
  asio::signal_set stop(loop, SIGTERM, SIGINT);
  stop.async_wait([&loop](std::error_code, int) { loop.stop(); });
  accept(acceptor, context);
  loop.run();
}

}  // namespace

int main(int count, char** words) try {
  CLI::App options("HTTPS on asio::ssl::stream, for the bench");
  std::string where, chain, key;
  options.add_option("--listen", where, "ADDRESS:PORT")->required();
  options.add_option("--tls-certificate", chain, "PEM file")->required();
  options.add_option("--tls-key", key, "PEM file")->required();
  CLI11_PARSE(options, count, words);
  serve(where, chain, key);
  return 0;
} catch (const std::exception& failure) {
  std::fprintf(stderr, "asio_tls_server: %s\n", failure.what());
  return 1;
}
