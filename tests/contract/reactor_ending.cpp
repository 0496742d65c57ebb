// SPDX-License-Identifier: MIT

// Deadlines and cancellation: a call that waits ends at its deadline and not before, or when it is
// cancelled; leaves nothing behind that would touch its caller's memory or eat the peer's bytes;
// and one that need not wait succeeds even when its deadline has passed.

#include <poll.h>

#include <algorithm>
#include <functional>

#include "contract/reactor_cases.hpp"
#include "umcg/cancellation.hpp"
#include "unit/io/sockets.hpp"

namespace umcg::contract {
namespace {

using testing::bytes_of;
using testing::numbered_bytes;
using testing::text_of;

using call = std::function<void(deadline, std::error_code&)>;

constexpr std::byte untouched{0xa5};

// Where every call has to wait, and the calls.
class waits {
 public:
  explicit waits(reactor_stage& on)
      : silent_(on.connect_pair()),
        full_(on.connect_full_pair()),
        listener_(on.listen()),
        much_(numbered_bytes(on.much())) {
    into_.fill(untouched);
  }

  std::vector<call> calls() {
    return {
        [this](deadline until, std::error_code& error) {
          EXPECT_EQ(io::recv(silent_.here, into_, until, error), 0u);
        },
        [this](deadline until, std::error_code& error) {
          const iovec list{into_.data(), into_.size()};
          EXPECT_EQ(io::recv_some(silent_.here, {&list, 1}, until, error), 0u);
        },
        [this](deadline until, std::error_code& error) {
          EXPECT_EQ(io::send_then_recv(silent_.here, bytes_of("x"), into_, until, error), 0u);
        },
        [this](deadline until, std::error_code& error) {
          EXPECT_EQ(io::send_then_recv(full_.here, much_, into_, until, error), 0u);
        },
        [this](deadline until, std::error_code& error) {
          EXPECT_EQ(io::send(full_.here, much_, until, error), 0u);
        },
        [this](deadline until, std::error_code& error) {
          const iovec list{much_.data(), much_.size()};
          EXPECT_EQ(io::send_some(full_.here, {&list, 1}, until, error), 0u);
        },
        [this](deadline until, std::error_code& error) {
          io::peer_address peer;
          EXPECT_EQ(io::accept(listener_, peer, until, error), -1);
        },
        [this](deadline until, std::error_code& error) {
          io::wait_until_ready(silent_.here, POLLIN, until, error);
        },
        [this](deadline until, std::error_code& error) {
          io::wait_until_ready(full_.here, POLLOUT, until, error);
        },
    };
  }

  bool buffer_untouched() const {
    return std::all_of(into_.begin(), into_.end(), [](std::byte at) { return at == untouched; });
  }
  // What comes now comes to the next call.
  void expect_nothing_lost(reactor_stage& on) {
    on.put(silent_.there, "late");
    on.run([&] {
      outcome of;
      EXPECT_EQ(io::recv(silent_.here, of.into, on.patience(), of.error), 4u);
      EXPECT_EQ(of.received(4), "late");
    });
    EXPECT_TRUE(buffer_untouched());
    on.connect_to(on.address_of(listener_));
    on.run([&] {
      outcome of;
      io::peer_address peer;
      const int accepted = io::accept(listener_, peer, on.patience(), of.error);
      EXPECT_FALSE(of.error) << of.error.message();
      on.close(accepted);
    });
  }

 private:
  connection silent_;
  connection full_;
  io::descriptor listener_;
  std::vector<std::byte> much_;
  std::array<std::byte, 64> into_;
};

void expect_timed_out(reactor_stage& on, const call& made) {
  on.run([&] {
    std::error_code error;
    const deadline until = on.soon();
    made(until, error);
    EXPECT_EQ(error, std::errc::timed_out);
    EXPECT_EQ(error.category(), std::system_category());
    EXPECT_TRUE(on.passed(until)) << "too early";
    EXPECT_LT(on.now(), until.when() + on.lateness_max()) << "too late";
    made(on.long_ago(), error);
    EXPECT_EQ(error, std::errc::timed_out);
  });
}

void deadlines_end_every_call(reactor_stage& on) {
  waits at(on);
  for (const call& each : at.calls()) expect_timed_out(on, each);
  at.expect_nothing_lost(on);
}

void cancelling_ends_every_call(reactor_stage& on) {
  waits at(on);
  for (const call& each : at.calls()) {
    cancellation_source source;
    on.start([&] {
      const cancellation_scope scope(source.token());
      std::error_code error;
      each(deadline::never(), error);
      EXPECT_EQ(error, std::errc::operation_canceled);
      each(on.patience(), error);
      EXPECT_EQ(error, std::errc::operation_canceled);
    });
    on.settle();
    source.cancel();
    on.join();
  }
  at.expect_nothing_lost(on);
}

void cancelling_ends_sleep(reactor_stage& on) {
  cancellation_source source;
  on.start([&] {
    const cancellation_scope scope(source.token());
    std::error_code error;
    io::sleep_until(on.patience(), error);
    EXPECT_EQ(error, std::errc::operation_canceled);
  });
  on.settle();
  source.cancel();
  on.join();
}

void a_deadline_ends_connect(reactor_stage& on) {
  const sockaddr_in address = on.deaf_address();
  expect_timed_out(on, [&](deadline until, std::error_code& error) {
    const int client = on.make_socket();
    io::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address, until, error);
  });
}

// It says how much has left, and that much has.
void send_that_is_late_counts_what_left(reactor_stage& on) {
  const connection ends = on.connect_narrow_pair();
  const auto bytes = numbered_bytes(on.much());
  std::size_t sent = 0;
  expect_timed_out(on, [&](deadline until, std::error_code& error) {
    sent += io::send(ends.here, std::span(bytes).subspan(sent), until, error);
  });
  EXPECT_GT(sent, 0u);
  EXPECT_LT(sent, bytes.size());
  on.finish(ends.here);
  const auto arrived = on.take(ends.there, bytes.size());
  EXPECT_EQ(arrived.size(), sent);
  EXPECT_TRUE(std::equal(arrived.begin(), arrived.end(), bytes.begin()));
}

void deadlines_that_have_passed_do_not_keep_a_call_from_what_is_there(reactor_stage& on) {
  const connection ends = on.connect_pair();
  const io::descriptor listening = on.listen();
  on.connect_to(on.address_of(listening));
  on.put(ends.there, "there");
  outcome of;
  on.run([&] {
    EXPECT_EQ(io::recv(ends.here, of.into, on.long_ago(), of.error), 5u);
    EXPECT_EQ(of.received(5), "there");
    EXPECT_EQ(io::send(ends.here, bytes_of("back"), on.long_ago(), of.error), 4u);
    EXPECT_FALSE(of.error) << of.error.message();
    io::peer_address peer{};
    const int accepted = io::accept(listening, peer, on.long_ago(), of.error);
    EXPECT_FALSE(of.error) << of.error.message();
    on.close(accepted);
  });
  EXPECT_EQ(text_of(on.take(ends.there, 4)), "back");
  on.put(ends.there, "again");
  on.run([&] {
    EXPECT_EQ(io::send_then_recv(ends.here, bytes_of("x"), of.into, on.long_ago(), of.error), 5u);
    EXPECT_EQ(of.received(5), "again");
  });
}

// The question has left by then; what comes later is the next call's.
void a_deadline_ends_turn_around_while_it_receives(reactor_stage& on) {
  const connection ends = on.connect_pair();
  outcome of;
  of.into.fill(untouched);
  on.run([&] {
    const deadline until = on.soon();
    io::exchange_buffers both{bytes_of("question"), of.into};
    EXPECT_EQ(io::exchange(ends.here, both, until, of.error), 0u);
    EXPECT_EQ(of.error, std::errc::timed_out);
    EXPECT_TRUE(on.passed(until));
    EXPECT_TRUE(both.sent);
  });
  EXPECT_EQ(text_of(on.take(ends.there, 8)), "question");
  on.put(ends.there, "late");
  EXPECT_EQ(text_of(on.take(ends.here, 4)), "late");
  EXPECT_EQ(of.into[0], untouched);
}

// The receive, which has not begun, must not begin afterwards.
void a_deadline_ends_turn_around_while_it_sends(reactor_stage& on) {
  const connection ends = on.connect_narrow_pair();
  const auto bytes = numbered_bytes(on.much());
  outcome of;
  of.into.fill(untouched);
  expect_timed_out(on, [&](deadline until, std::error_code& error) {
    io::exchange_buffers both{bytes, of.into};
    EXPECT_EQ(io::exchange(ends.here, both, until, error), 0u);
    EXPECT_FALSE(both.sent);
  });
  on.put(ends.there, "late");
  EXPECT_EQ(text_of(on.take(ends.here, 4)), "late");
  EXPECT_EQ(of.into[0], untouched);
}

constexpr named_case all[] = {
    {"deadlines_end_every_call", deadlines_end_every_call},
    {"cancelling_ends_every_call", cancelling_ends_every_call},
    {"cancelling_ends_sleep", cancelling_ends_sleep},
    {"a_deadline_ends_connect", a_deadline_ends_connect},
    {"send_that_is_late_counts_what_left", send_that_is_late_counts_what_left},
    {"deadlines_that_have_passed_do_not_keep_a_call_from_what_is_there",
     deadlines_that_have_passed_do_not_keep_a_call_from_what_is_there, true},
    {"a_deadline_ends_turn_around_while_it_receives",
     a_deadline_ends_turn_around_while_it_receives},
    {"a_deadline_ends_turn_around_while_it_sends", a_deadline_ends_turn_around_while_it_sends},
};

}  // namespace

std::span<const named_case> ending_cases() { return all; }

}  // namespace umcg::contract
