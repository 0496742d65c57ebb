// SPDX-License-Identifier: MIT

// Workers over a reactor, or plain threads, and the sockets of the machine.

#include <algorithm>
#include <map>

#include "contract/reactor_stage.hpp"
#include "unit/io/call_site.hpp"
#include "unit/io/sockets.hpp"

namespace umcg::contract {
namespace {

using testing::unique_fd;

class real_stage final : public reactor_stage {
 public:
  // With several servers the calls name sockets by their serials, with one they do not.
  explicit real_stage(const testing::site& of) : site_(of), serials_(of.servers > 1) {}
  ~real_stage() override { site_.join(); }

  void start(body work) override { site_.start(std::move(work)); }
  void join() override { site_.join(); }
  void settle() override { site_.wait_until_blocked(); }

  deadline::clock::time_point now() override { return deadline::clock::now(); }
  std::chrono::nanoseconds lateness_max() const override { return testing::patience_duration; }

  connection connect_pair() override { return keep(testing::tcp_pair()); }
  connection connect_narrow_pair() override {
    testing::fd_pair made = testing::tcp_pair();
    testing::set_buffer_sizes(made.here.get(), 16 * 1024);
    return keep(std::move(made));
  }
  std::size_t much() const override { return std::size_t{1} << 20; }
  connection connect_full_pair() override {
    testing::fd_pair made = testing::unix_pair();  // of TCP more may leave later
    testing::set_buffer_sizes(made.here.get(), 4096);
    const std::vector<std::byte> bytes(4096);
    while (::send(made.here.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) continue;
    return keep(std::move(made));
  }
  int make_socket() override {
    return keep(unique_fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  }
  io::descriptor listen() override { return name(keep(testing::tcp_listener().fd)); }
  sockaddr_in address_of(int fd) override {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(fd, testing::plain(address), &size), 0);
    return address;
  }
  sockaddr_in deaf_address() override {
    // The queue takes one more than it says; then the kernel does not answer.
    testing::tcp_listener full(0);
    keep(full.connected());
    keep(std::move(full.fd));
    return full.address;
  }
  int connect_to(const sockaddr_in& address) override {
    const int made = make_socket();
    EXPECT_EQ(::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return made;
  }

  void put(int fd, std::string_view bytes) override { testing::put(fd, bytes); }
  std::vector<std::byte> take(int fd, std::size_t size) override { return testing::take(fd, size); }
  void finish(int fd) override { EXPECT_EQ(::shutdown(fd, SHUT_WR), 0); }
  void shut_down(int fd) override { EXPECT_EQ(::shutdown(fd, SHUT_RDWR), 0); }
  void close(int fd) override {
    if (kept_.erase(fd) == 0) unique_fd closing(fd);  // one that was accepted
  }
  void reset(int fd) override {
    testing::reset(kept_[fd]);
    kept_.erase(fd);
  }

 private:
  io::descriptor name(int fd) const { return {fd, serials_ ? io::new_serial() : 0}; }
  int keep(unique_fd fd) {
    const int number = fd.get();
    EXPECT_GE(number, 0);
    kept_[number] = std::move(fd);
    return number;
  }
  connection keep(testing::fd_pair made) {
    return {name(keep(std::move(made.here))), keep(std::move(made.there))};
  }

  std::map<int, unique_fd> kept_;
  testing::call_site site_;  // last: it ends before they are closed
  const bool serials_;
};

}  // namespace

void play_on_servers(unsigned servers, const char* reactor, reactor_case play) {
  real_stage on({servers, reactor});
  play(on);
}

}  // namespace umcg::contract
