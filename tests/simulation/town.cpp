// SPDX-License-Identifier: MIT
#include "simulation/town.hpp"

#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <gtest/gtest.h>

namespace umcg::simulation {

namespace {

using std::chrono::milliseconds;

constexpr int visitors = 24;
constexpr int pairs = 4;
constexpr int sleepers = 4;

// What a call may take beyond its deadline: a tick of the timers, and a kernel that is late with
// the end of what is cancelled.
constexpr milliseconds lateness_max(50);

// A message is its size in one byte, and so many bytes.
using message = std::vector<std::byte>;

}  // namespace

town::town(network& over, sched::server_group& servers, std::chrono::nanoseconds lifetime)
    : network_(over),
      servers_(servers),
      end_(over.now() + lifetime),
      listener_(over.listen(), io::new_serial()) {}

template <class Work>
void town::spawn(Work work) {
  ++at_work_;
  std::error_code error;
  worker made = servers_.spawn(
      [this, work] {
        work();
        --at_work_;
      },
      {}, error);
  EXPECT_FALSE(error) << error.message();
  made.detach();
}

void town::live() {
  std::error_code error;
  worker mayor = servers_.spawn(
      [this] {
        for (int i = 0; i < 2; ++i) spawn([this] { accept_connections(); });
        for (int i = 0; i < visitors; ++i) spawn([this] { visit(); });
        for (int i = 0; i < sleepers; ++i) spawn([this] { sleep(); });
        for (int i = 0; i < pairs; ++i) {
          const auto ends = network_.make_reliable_pair();
          spawn([this, fd = ends[0]] { talk(fd, true); });
          spawn([this, fd = ends[1]] { talk(fd, false); });
        }
        see_out_the_day();
      },
      {}, error);
  ASSERT_FALSE(error) << error.message();
  mayor.join();
  for (const std::uint64_t times : servers_.counts().handoffs) counts_.handoffs += times;
  servers_.stop();
  network_.close(listener_, false);
}

// --- what is checked ---

town::call town::begin(io::descriptor fd, bool writes, deadline until,
                       std::size_t sends_first) const {
  const auto on = network_.find(fd);
  return {network_.now(), until, on, writes, on->bytes_taken, sends_first};
}

// A call that has timed out must have had a reason to wait.
void town::expect_nothing_was_there(const call& made) const {
  if (made.on->bytes_taken - made.bytes_taken_before < made.sends_first) return;
  const time_point since = made.writes ? made.on->writable_since : made.on->readable_since;
  if (since == time_point::max()) return;
  EXPECT_LT(network_.now(), std::max(since, made.begin) + lateness_max)
      << "what it waited for was there";
}

bool town::check(const call& made, const std::error_code& error) {
  ++counts_.calls;
  if (!made.until.is_never()) {
    EXPECT_LE(network_.now(), made.until.when() + lateness_max) << "it ended late";
  }
  if (!error) return true;
  if (error == std::errc::timed_out) {
    ++counts_.timed_out;
    EXPECT_GE(network_.now(), made.until.when()) << "it ended early";
    expect_nothing_was_there(made);
  } else {
    ++counts_.broken;
    EXPECT_TRUE(error == std::errc::connection_reset || error == std::errc::broken_pipe ||
                error == std::errc::connection_refused)
        << error.message();
  }
  return false;
}

// Half of the sockets say which they are.
io::descriptor town::name(int fd) {
  return {fd, network_.chance(500) ? io::new_serial() : std::uint64_t{0}};
}

// Sometimes at once.
deadline town::soon() {
  if (network_.chance(20)) return deadline(network_.now());
  return deadline(network_.now() + std::chrono::microseconds(network_.below(200'000)));
}

bool town::receive_all(io::descriptor fd, std::span<std::byte> into) {
  const bool scattered = network_.chance(100);
  while (!into.empty()) {
    const call made = begin(fd, false, soon());
    std::error_code error;
    if (network_.chance(200)) {
      io::wait_until_ready(fd, POLLIN, made.until, error);
      if (!check(made, error)) return false;
    }
    const iovec buffer{into.data(), into.size()};
    const std::size_t count = scattered ? io::recv_some(fd, {&buffer, 1}, made.until, error)
                                        : io::recv(fd, into, made.until, error);
    if (!check(made, error) || count == 0) return false;
    into = into.subspan(count);
  }
  return true;
}

bool town::send_all(io::descriptor fd, std::span<const std::byte> bytes, deadline until) {
  const bool gathered = network_.chance(100);
  std::error_code error;
  while (!bytes.empty()) {
    const iovec buffer{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const call made = begin(fd, true, until);
    const std::size_t count = gathered ? io::send_some(fd, {&buffer, 1}, until, error)
                                       : io::send(fd, bytes, until, error);
    EXPECT_TRUE(error || gathered || count == bytes.size());
    EXPECT_EQ(made.on->bytes_taken - made.bytes_taken_before, count) << "it counts others";
    if (!check(made, error)) return false;
    bytes = bytes.subspan(count);
  }
  return true;
}

// --- who lives there ---

void town::accept_connections() {
  while (!over()) {
    const call made = begin(listener_, false, soon());
    io::peer_address peer{};
    std::error_code error;
    const int fd = io::accept(listener_, peer, made.until, error);
    if (!check(made, error)) continue;
    ++counts_.accepted;
    spawn([this, fd] { serve(fd); });
  }
}

void town::serve(int fd) {
  const io::descriptor peer = name(fd);
  std::array<std::byte, 1> size{};
  message body;
  bool has_size = receive_all(peer, size);
  while (has_size && !over()) {
    body.resize(1 + std::to_integer<std::size_t>(size[0]));
    body[0] = size[0];
    if (!receive_all(peer, std::span(body).subspan(1))) break;
    if (network_.chance(500)) {
      const call made = begin(peer, false, soon(), body.size());
      std::error_code error;
      const std::size_t count = io::send_then_recv(peer, body, size, made.until, error);
      has_size = check(made, error) && count == 1;
    } else {
      has_size = send_all(peer, body, soon()) && receive_all(peer, size);
    }
  }
  network_.close(fd, network_.chance(200));
}

void town::visit() {
  while (!over()) {
    const int fd = network_.make_socket();
    const io::descriptor to = name(fd);
    sockaddr_in address{};
    address.sin_port = network_.port_of(listener_);
    const call made = begin(to, true, soon());
    std::error_code error;
    io::connect(to, reinterpret_cast<const sockaddr*>(&address), sizeof address, made.until, error);
    if (check(made, error)) {
      while (network_.chance(900) && !over() && exchange(to)) continue;
      if (network_.chance(50)) stop_reading(to);
    }
    network_.close(fd, network_.chance(300));
  }
}

// A message, and the same back.
bool town::exchange(io::descriptor fd) {
  message sent(1 + network_.below(200));
  for (std::byte& each : sent) each = static_cast<std::byte>(network_.below(256));
  sent[0] = static_cast<std::byte>(sent.size() - 1);
  message back(sent.size());
  std::span<std::byte> rest(back);
  if (network_.chance(500)) {
    const call made = begin(fd, false, soon(), sent.size());
    std::error_code error;
    const std::size_t count = io::send_then_recv(fd, sent, rest, made.until, error);
    if (!check(made, error) || count == 0) return false;
    rest = rest.subspan(count);
  } else if (!send_all(fd, sent, soon())) {
    return false;
  }
  if (!receive_all(fd, rest)) return false;
  EXPECT_TRUE(sent == back) << "other bytes came back";
  ++counts_.messages;
  return true;
}

// Until nothing fits into the buffers any more.
void town::stop_reading(io::descriptor fd) {
  const message much(64 * 1024, std::byte{200});
  send_all(fd, much, soon());
}

// Without any deadline: an event that is lost is the end of it. Some messages are longer than what
// fits on the way, all are shorter than the buffer; and the last one comes with the end behind it.
void town::talk(int fd, bool begins) {
  const io::descriptor to = name(fd);
  std::error_code error;
  for (unsigned round = 0;; ++round) {
    if (begins && over()) {
      send_all(to, message(1), deadline::never());
      break;
    }
    const message said(round % 8 == 0 ? 6000 : 8, static_cast<std::byte>(round));
    message heard(said.size() + 8);
    const std::span room(heard);
    std::size_t count = 0;
    if (begins) count = io::send_then_recv(to, said, room, deadline::never(), error);
    while (count < said.size()) {
      const call made = begin(to, false, deadline::never());
      const std::size_t more = io::recv(to, room.subspan(count), made.until, error);
      if (!check(made, error) || more == 0) break;
      count += more;
    }
    if (count < said.size()) break;  // the other one has gone
    heard.resize(count);
    EXPECT_TRUE(heard == said) << "other bytes came back";
    if (!begins) send_all(to, said, deadline::never());
  }
  network_.close(fd, false);
}

void town::sleep_until(deadline until) {
  std::error_code error;
  io::sleep_until(until, error);
  EXPECT_FALSE(error) << error.message();
  EXPECT_GE(network_.now(), until.when()) << "it woke early";
  EXPECT_LE(network_.now(), until.when() + lateness_max) << "it woke late";
}

void town::sleep() {
  while (!over()) sleep_until(soon());
}

// When all others have gone, deadlines are far apart.
void town::see_out_the_day() {
  while (at_work_ != 0) sleep_until(deadline(network_.now() + milliseconds(10)));
  for (const milliseconds duration : {milliseconds(1500), milliseconds(30), milliseconds(2500)}) {
    sleep_until(deadline(network_.now() + duration));
  }
}

}  // namespace umcg::simulation
