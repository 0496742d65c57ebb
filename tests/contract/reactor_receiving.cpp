// SPDX-License-Identifier: MIT

// Receiving, accepting, connecting, waiting for readiness, sleeping: what the calls return when
// what they wait for is there, comes later, or never comes.

#include <fcntl.h>
#include <poll.h>

#include "contract/reactor_cases.hpp"
#include "unit/io/sockets.hpp"

namespace umcg::contract {
namespace {

using std::chrono::milliseconds;
using testing::text_of;

void recv_takes_what_is_there(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.put(ends.there, "hello");
  outcome of;
  on.run([&] {
    EXPECT_EQ(io::recv(ends.here, of.into, on.patience(), of.error), 5u);
    EXPECT_FALSE(of.error) << of.error.message();
  });
  EXPECT_EQ(of.received(5), "hello");
}

void recv_waits_for_what_comes_later(reactor_stage& on) {
  const connection ends = on.connect_pair();
  outcome of;
  on.start([&] {
    EXPECT_EQ(io::recv(ends.here, of.into, deadline::never(), of.error), 5u);
    EXPECT_FALSE(of.error) << of.error.message();
  });
  on.settle();
  on.put(ends.there, "hello");
  on.join();
  EXPECT_EQ(of.received(5), "hello");
}

void recv_sees_the_peer_close(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.start([&] {
    for (int times = 0; times < 2; ++times) {
      outcome of;
      EXPECT_EQ(io::recv(ends.here, of.into, on.patience(), of.error), 0u);
      EXPECT_FALSE(of.error) << of.error.message();
    }
  });
  on.settle();
  on.close(ends.there);
  on.join();
}

void recv_sees_a_reset(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.start([&] {
    outcome of;
    EXPECT_EQ(io::recv(ends.here, of.into, on.patience(), of.error), 0u);
    EXPECT_EQ(of.error, std::errc::connection_reset);
    EXPECT_EQ(of.error.category(), std::system_category());
  });
  on.settle();
  on.reset(ends.there);
  on.join();
}

void gather_and_scatter(reactor_stage& on) {
  const connection ends = on.connect_pair();
  outcome of;
  std::string hello = "hello, ";
  std::string world = "world";
  const iovec out[] = {{hello.data(), hello.size()}, {world.data(), world.size()}};
  on.run([&] {
    EXPECT_EQ(io::send_some(ends.here, out, on.patience(), of.error), 12u);
    EXPECT_FALSE(of.error) << of.error.message();
  });
  EXPECT_EQ(text_of(on.take(ends.there, 12)), "hello, world");
  on.put(ends.there, "and back");
  std::string first(4, '-');
  std::string second(20, '-');
  const iovec in[] = {{first.data(), first.size()}, {second.data(), second.size()}};
  on.run([&] {
    EXPECT_EQ(io::recv_some(ends.here, in, on.patience(), of.error), 8u);
    EXPECT_FALSE(of.error) << of.error.message();
  });
  EXPECT_EQ(first + second.substr(0, 4), "and back");
}

void a_message_that_is_looked_at_stays(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.put(ends.there, "twice");
  on.run([&] {
    outcome of;
    iovec buffer{of.into.data(), of.into.size()};
    for (const int flags : std::array<int, 3>{MSG_PEEK, MSG_PEEK, 0}) {
      msghdr message{};
      message.msg_iov = &buffer;
      message.msg_iovlen = 1;
      EXPECT_EQ(io::recv_message(ends.here, message, flags, on.patience(), of.error), 5u);
      EXPECT_FALSE(of.error) << of.error.message();
      EXPECT_EQ(of.received(5), "twice");
    }
    EXPECT_EQ(io::recv(ends.here, of.into, on.long_ago(), of.error), 0u);
    EXPECT_EQ(of.error, std::errc::timed_out);
  });
}

void wait_until_ready_sees_what_is_there_and_what_comes(reactor_stage& on) {
  const connection ends = on.connect_pair();
  outcome of;
  on.run([&] {
    io::wait_until_ready(ends.here, POLLOUT, on.patience(), of.error);
    EXPECT_FALSE(of.error) << of.error.message();
    io::wait_until_ready(ends.here, POLLIN, on.long_ago(), of.error);
    EXPECT_EQ(of.error, std::errc::timed_out);
  });
  on.start([&] { io::wait_until_ready(ends.here, POLLIN, on.patience(), of.error); });
  on.settle();
  on.put(ends.there, "x");
  on.join();
  EXPECT_FALSE(of.error) << of.error.message();
  on.run([&] {
    io::wait_until_ready(ends.here, POLLIN, on.long_ago(), of.error);
    EXPECT_FALSE(of.error) << of.error.message();
    EXPECT_EQ(io::recv(ends.here, of.into, on.patience(), of.error), 1u);
  });
}

void wait_until_ready_waits_for_room(reactor_stage& on) {
  const connection ends = on.connect_narrow_pair();
  const auto bytes = testing::numbered_bytes(on.much());
  std::size_t sent = 0;
  outcome of;
  on.run([&] {
    sent = io::send(ends.here, bytes, on.soon(), of.error);
    EXPECT_EQ(of.error, std::errc::timed_out);
    io::wait_until_ready(ends.here, POLLOUT, on.long_ago(), of.error);
    EXPECT_EQ(of.error, std::errc::timed_out);
  });
  on.start([&] { io::wait_until_ready(ends.here, POLLOUT, on.patience(), of.error); });
  on.settle();
  EXPECT_EQ(on.take(ends.there, sent).size(), sent);
  on.join();
  EXPECT_FALSE(of.error) << of.error.message();
}

// Both that wait for one socket are told.
void wait_until_ready_waits_for_bytes_and_for_the_end(reactor_stage& on) {
  const connection ends = on.connect_pair();
  for (const bool by_the_end : {false, true}) {
    for (int waiter = 0; waiter < 2; ++waiter) {
      on.start([&] {
        outcome of;
        io::wait_until_ready(ends.here, POLLIN, deadline::never(), of.error);
        EXPECT_FALSE(of.error) << of.error.message();
      });
    }
    on.settle();
    if (by_the_end) {
      on.finish(ends.there);
    } else {
      on.put(ends.there, "hello");
    }
    on.join();
    on.run([&] {
      outcome of;
      EXPECT_EQ(io::recv(ends.here, of.into, on.patience(), of.error), by_the_end ? 0u : 5u);
    });
  }
}

void wait_until_ready_sees_a_connection_come(reactor_stage& on) {
  const io::descriptor listening = on.listen();
  outcome of;
  on.start([&] { io::wait_until_ready(listening, POLLIN, on.patience(), of.error); });
  on.settle();
  on.connect_to(on.address_of(listening));
  on.join();
  EXPECT_FALSE(of.error) << of.error.message();
}

void no_socket_is_an_error(reactor_stage& on) {
  on.run([&] {
    outcome of;
    EXPECT_EQ(io::recv(-1, of.into, on.patience(), of.error), 0u);
    EXPECT_EQ(of.error, std::errc::bad_file_descriptor);
    EXPECT_EQ(io::send(-1, of.into, on.patience(), of.error), 0u);
    EXPECT_EQ(of.error, std::errc::bad_file_descriptor);
    EXPECT_EQ(io::send_then_recv(-1, of.into, of.into, deadline::never(), of.error), 0u);
    EXPECT_EQ(of.error, std::errc::bad_file_descriptor);
    io::peer_address peer{};
    EXPECT_EQ(io::accept(-1, peer, on.patience(), of.error), -1);
    EXPECT_EQ(of.error, std::errc::bad_file_descriptor);
    io::wait_until_ready(-1, POLLIN, on.patience(), of.error);
    EXPECT_EQ(of.error, std::errc::bad_file_descriptor);
  });
}

void accept_takes_a_connection_and_names_the_peer(reactor_stage& on) {
  const io::descriptor listening = on.listen();
  for (const bool later : {false, true}) {
    int client = later ? -1 : on.connect_to(on.address_of(listening));
    int accepted = -1;
    io::peer_address peer{};
    outcome of;
    on.start([&] { accepted = io::accept(listening, peer, on.patience(), of.error); });
    if (later) {
      on.settle();
      client = on.connect_to(on.address_of(listening));
    }
    on.join();
    EXPECT_FALSE(of.error) << of.error.message();
    ASSERT_GE(accepted, 0);
    ASSERT_EQ(peer.size, sizeof(sockaddr_in));
    const auto& seen = reinterpret_cast<const sockaddr_in&>(peer.storage);
    EXPECT_EQ(seen.sin_port, on.address_of(client).sin_port);
    on.put(client, "hello");
    on.run([&] { EXPECT_EQ(io::recv(accepted, of.into, on.patience(), of.error), 5u); });
    on.close(accepted);
  }
}

void accept_ends_when_the_listener_is_shut_down(reactor_stage& on) {
  const io::descriptor listening = on.listen();
  on.start([&] {
    outcome of;
    io::peer_address peer{};
    EXPECT_EQ(io::accept(listening, peer, deadline::never(), of.error), -1);
    EXPECT_EQ(of.error, std::errc::invalid_argument);
  });
  on.settle();
  on.shut_down(listening);
  on.join();
}

void connect_connects_or_says_why_not(reactor_stage& on) {
  const io::descriptor listening = on.listen();
  const sockaddr_in address = on.address_of(listening);
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  const int client = on.make_socket();
  on.run([&] {
    outcome of;
    io::connect(client, to, sizeof address, on.patience(), of.error);
    EXPECT_FALSE(of.error) << of.error.message();
    io::peer_address peer{};
    const int server = io::accept(listening, peer, on.patience(), of.error);
    EXPECT_EQ(io::send(client, std::as_bytes(std::span("hello", 5)), on.patience(), of.error), 5u);
    EXPECT_EQ(io::recv(server, of.into, on.patience(), of.error), 5u);
    EXPECT_EQ(of.received(5), "hello");
    on.close(server);
  });
  on.close(listening);
  const int refused = on.make_socket();
  on.run([&] {
    outcome of;
    io::connect(refused, to, sizeof address, on.patience(), of.error);
    EXPECT_EQ(of.error, std::errc::connection_refused);
  });
}

void sleep_until_is_never_early(reactor_stage& on) {
  on.run([&] {
    outcome of;
    for (const auto duration : {milliseconds(0), milliseconds(1), milliseconds(7)}) {
      const deadline until(on.now() + duration);
      io::sleep_until(until, of.error);
      EXPECT_FALSE(of.error) << of.error.message();
      EXPECT_TRUE(on.passed(until));
      EXPECT_LT(on.now(), until.when() + on.lateness_max());
    }
    for (const deadline until : {on.long_ago(), deadline(deadline::clock::time_point::min())}) {
      io::sleep_until(until, of.error);
      EXPECT_FALSE(of.error) << of.error.message();
    }
  });
}

constexpr named_case all[] = {
    {"recv_takes_what_is_there", recv_takes_what_is_there},
    {"recv_waits_for_what_comes_later", recv_waits_for_what_comes_later},
    {"recv_sees_the_peer_close", recv_sees_the_peer_close},
    {"recv_sees_a_reset", recv_sees_a_reset},
    {"gather_and_scatter", gather_and_scatter},
    {"a_message_that_is_looked_at_stays", a_message_that_is_looked_at_stays},
    {"wait_until_ready_sees_what_is_there_and_what_comes",
     wait_until_ready_sees_what_is_there_and_what_comes, true},
    {"wait_until_ready_waits_for_room", wait_until_ready_waits_for_room},
    {"wait_until_ready_waits_for_bytes_and_for_the_end",
     wait_until_ready_waits_for_bytes_and_for_the_end},
    {"wait_until_ready_sees_a_connection_come", wait_until_ready_sees_a_connection_come},
    {"no_socket_is_an_error", no_socket_is_an_error},
    {"accept_takes_a_connection_and_names_the_peer", accept_takes_a_connection_and_names_the_peer},
    {"accept_ends_when_the_listener_is_shut_down", accept_ends_when_the_listener_is_shut_down},
    {"connect_connects_or_says_why_not", connect_connects_or_says_why_not},
    {"sleep_until_is_never_early", sleep_until_is_never_early},
};

}  // namespace

std::span<const named_case> receiving_cases() { return all; }

}  // namespace umcg::contract
