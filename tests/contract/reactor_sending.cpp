// SPDX-License-Identifier: MIT

// Sending: all of it arrives however slowly the peer reads, and when the peer goes away in between,
// the call ends with an error; send_then_recv in all the ways its two parts end.

#include <algorithm>
#include <atomic>

#include "contract/reactor_cases.hpp"
#include "unit/io/sockets.hpp"

namespace umcg::contract {
namespace {

using testing::bytes_of;
using testing::numbered_bytes;
using testing::text_of;

void all_arrives_although_the_peer_reads_late_and_little(reactor_stage& on) {
  const connection ends = on.connect_narrow_pair();
  const auto bytes = numbered_bytes(on.much());
  on.start([&] {
    outcome of;
    EXPECT_EQ(io::send(ends.here, bytes, on.patience(), of.error), bytes.size());
    EXPECT_FALSE(of.error) << of.error.message();
  });
  on.settle();  // the buffers are full
  std::vector<std::byte> arrived;
  while (arrived.size() < bytes.size()) {
    const std::size_t part_size = bytes.size() / 50 + 1;
    const auto part = on.take(ends.there, std::min(part_size, bytes.size() - arrived.size()));
    ASSERT_FALSE(part.empty());
    arrived.insert(arrived.end(), part.begin(), part.end());
  }
  on.join();
  EXPECT_TRUE(arrived == bytes);
}

void send_some_sends_what_fits(reactor_stage& on) {
  const connection ends = on.connect_narrow_pair();
  auto bytes = numbered_bytes(on.much());
  std::size_t sent = 0;
  on.run([&] {
    outcome of;
    const iovec parts[] = {{bytes.data(), 1000}, {bytes.data() + 1000, bytes.size() - 1000}};
    sent = io::send_some(ends.here, parts, on.patience(), of.error);
    EXPECT_FALSE(of.error) << of.error.message();
  });
  EXPECT_GT(sent, 1000u);
  EXPECT_LT(sent, bytes.size());
  const auto arrived = on.take(ends.there, sent);
  EXPECT_EQ(arrived.size(), sent);
  EXPECT_TRUE(std::equal(arrived.begin(), arrived.end(), bytes.begin()));
}

void nothing_is_sent_at_once(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.run([&] {
    outcome of;
    EXPECT_EQ(io::send(ends.here, {}, on.patience(), of.error), 0u);
    EXPECT_FALSE(of.error) << of.error.message();
  });
}

void sending_to_a_peer_that_has_gone_is_an_error(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.reset(ends.there);
  on.run([&] {
    for (int times = 0; times < 2; ++times) {
      outcome of;
      io::send(ends.here, bytes_of("x"), on.patience(), of.error);
      of.expect_gone();
    }
  });
}

void send_ends_when_the_peer_goes_in_between(reactor_stage& on) {
  const connection ends = on.connect_narrow_pair();
  const auto bytes = numbered_bytes(on.much());
  on.start([&] {
    outcome of;
    EXPECT_LT(io::send(ends.here, bytes, deadline::never(), of.error), bytes.size());
    of.expect_gone();
  });
  on.settle();
  on.reset(ends.there);
  on.join();
}

void turn_around_sends_and_receives(reactor_stage& on) {
  const connection ends = on.connect_pair();
  constexpr int rounds = 20;
  on.start([&] {
    for (int round = 0; round < rounds; ++round) {
      outcome of;
      EXPECT_EQ(
          io::send_then_recv(ends.here, bytes_of("question"), of.into, on.patience(), of.error),
          6u);
      EXPECT_FALSE(of.error) << of.error.message();
      EXPECT_EQ(of.received(6), "answer");
    }
  });
  for (int round = 0; round < rounds; ++round) {
    EXPECT_EQ(text_of(on.take(ends.there, 8)), "question");
    on.put(ends.there, "answer");
  }
  on.join();
}

void turn_around_only_receives_when_there_is_nothing_to_send(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.put(ends.there, "answer");
  on.run([&] {
    outcome of;
    EXPECT_EQ(io::send_then_recv(ends.here, {}, of.into, on.patience(), of.error), 6u);
    EXPECT_FALSE(of.error) << of.error.message();
  });
}

// Nothing is received before all has left, however much has come by then.
void turn_around_sends_a_lot_to_a_slow_peer_first(reactor_stage& on) {
  const connection ends = on.connect_narrow_pair();
  const auto bytes = numbered_bytes(on.much());
  on.put(ends.there, "early");
  std::atomic<bool> returned = false;
  on.start([&] {
    outcome of;
    EXPECT_EQ(io::send_then_recv(ends.here, bytes, of.into, on.patience(), of.error), 5u);
    returned = true;
    EXPECT_FALSE(of.error) << of.error.message();
    EXPECT_EQ(of.received(5), "early");
  });
  on.settle();
  EXPECT_FALSE(returned);
  const auto arrived = on.take(ends.there, bytes.size());
  on.join();
  EXPECT_TRUE(arrived == bytes);
}

void turn_around_sees_the_peer_close(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.start([&] {
    outcome of;
    EXPECT_EQ(io::send_then_recv(ends.here, bytes_of("question"), of.into, on.patience(), of.error),
              0u);
    EXPECT_FALSE(of.error) << of.error.message();
  });
  on.settle();
  EXPECT_EQ(text_of(on.take(ends.there, 8)), "question");
  on.finish(ends.there);
  on.join();
}

void turn_around_sees_a_reset_while_it_receives(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.start([&] {
    outcome of;
    EXPECT_EQ(io::send_then_recv(ends.here, bytes_of("question"), of.into, on.patience(), of.error),
              0u);
    EXPECT_EQ(of.error, std::errc::connection_reset);
  });
  on.settle();
  on.reset(ends.there);
  on.join();
}

void turn_around_sees_a_reset_before_it_sends(reactor_stage& on) {
  const connection ends = on.connect_pair();
  on.reset(ends.there);
  on.run([&] {
    for (int times = 0; times < 2; ++times) {
      outcome of;
      EXPECT_EQ(io::send_then_recv(ends.here, bytes_of("x"), of.into, deadline::never(), of.error),
                0u);
      of.expect_gone();
    }
  });
}

// Part of it has left: the send falls short.
void turn_around_sees_a_reset_while_it_sends(reactor_stage& on) {
  const connection ends = on.connect_narrow_pair();
  const auto bytes = numbered_bytes(on.much());
  on.start([&] {
    outcome of;
    EXPECT_EQ(io::send_then_recv(ends.here, bytes, of.into, deadline::never(), of.error), 0u);
    of.expect_gone();
  });
  on.settle();
  on.reset(ends.there);
  on.join();
}

constexpr named_case all[] = {
    {"all_arrives_although_the_peer_reads_late_and_little",
     all_arrives_although_the_peer_reads_late_and_little},
    {"send_some_sends_what_fits", send_some_sends_what_fits},
    {"nothing_is_sent_at_once", nothing_is_sent_at_once},
    {"sending_to_a_peer_that_has_gone_is_an_error", sending_to_a_peer_that_has_gone_is_an_error},
    {"send_ends_when_the_peer_goes_in_between", send_ends_when_the_peer_goes_in_between},
    {"turn_around_sends_and_receives", turn_around_sends_and_receives},
    {"turn_around_only_receives_when_there_is_nothing_to_send",
     turn_around_only_receives_when_there_is_nothing_to_send},
    {"turn_around_sends_a_lot_to_a_slow_peer_first", turn_around_sends_a_lot_to_a_slow_peer_first},
    {"turn_around_sees_the_peer_close", turn_around_sees_the_peer_close},
    {"turn_around_sees_a_reset_while_it_receives", turn_around_sees_a_reset_while_it_receives},
    {"turn_around_sees_a_reset_before_it_sends", turn_around_sees_a_reset_before_it_sends},
    {"turn_around_sees_a_reset_while_it_sends", turn_around_sees_a_reset_while_it_sends},
};

}  // namespace

std::span<const named_case> sending_cases() { return all; }

}  // namespace umcg::contract
