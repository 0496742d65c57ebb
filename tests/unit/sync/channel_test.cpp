// SPDX-License-Identifier: MIT

// Channels. A wake that is lost is a test that hangs: none of the waits that are to end has a
// deadline.
#include "umcg/sync/channel.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include "umcg/sync.hpp"
#include "unit/sync/crowd.hpp"

namespace umcg::sync {
namespace {

using std::chrono::microseconds;
using testing::long_ago;
using testing::rounds;
using testing::soon;
using testing::within;

class channels : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, channels, testing::all_crowds(), testing::crowd_name);

struct numbered {
  int sender;
  int number;
};

// Every value once, and of each sender in order.
TEST_P(channels, hand_over_every_value_once_and_in_order) {
  constexpr int senders = 4;
  constexpr int receivers = 4;
  const int each = rounds(2000);
  for (const std::size_t capacity : {1U, 2U, 7U}) {
    channel<numbered> between(capacity);
    std::atomic<long> received = 0;
    wait_group sending(senders);
    for (int i = 0; i < senders + receivers; ++i) {
      if (i % 2 == 0) {
        everybody().start([&, sender = i / 2] {
          for (int number = 0; number < each; ++number) {
            EXPECT_TRUE(between.send({sender, number}));
          }
          sending.done();
        });
      } else {
        everybody().start([&] {
          std::array<int, senders> last{};
          last.fill(-1);
          for (const numbered& value : between) {
            int& before = last.at(static_cast<std::size_t>(value.sender));
            EXPECT_LT(before, value.number);
            before = value.number;
            ++received;
          }
        });
      }
    }
    sending.wait();
    between.close();
    everybody().join();
    EXPECT_EQ(received, static_cast<long>(senders) * each);
    EXPECT_EQ(between.size(), 0U);
  }
}

TEST_P(channels, hold_as_many_as_they_have_room_for) {
  channel<int> between(3);
  EXPECT_EQ(between.capacity(), 3U);
  everybody().run([&between] {
    for (int round = 0; round < 5; ++round) {
      for (int value = 0; value < 3; ++value) {
        EXPECT_EQ(between.try_send(value), channel_result::done);
      }
      EXPECT_EQ(between.try_send(9), channel_result::timed_out);
      EXPECT_EQ(between.send_until(long_ago(), 9), channel_result::timed_out);
      EXPECT_EQ(between.size(), 3U);
      for (int value = 0; value < 3; ++value) EXPECT_EQ(between.receive_until(long_ago()), value);
      EXPECT_FALSE(between.try_receive());
    }
  });
}

TEST_P(channels, deadlines_are_never_early) {
  channel<int> empty(1);
  channel<int> full(1);
  EXPECT_TRUE(full.send(1));
  for (int i = 0; i < 6; ++i) {
    everybody().start([&] {
      deadline until = soon();
      channel_result result = channel_result::done;
      EXPECT_FALSE(empty.receive_until(until, result));
      EXPECT_EQ(result, channel_result::timed_out);
      EXPECT_TRUE(until.passed());
      until = soon();
      EXPECT_EQ(full.send_until(until, 2), channel_result::timed_out);
      EXPECT_TRUE(until.passed());
    });
  }
  everybody().join();
  EXPECT_EQ(full.receive(), 1);
}

TEST_P(channels, when_closed_refuse_values_and_give_out_what_they_have) {
  channel<std::unique_ptr<int>> between(2);
  EXPECT_TRUE(between.send(std::make_unique<int>(1)));
  EXPECT_TRUE(between.send(std::make_unique<int>(2)));
  for (int i = 0; i < 6; ++i) {
    everybody().start([&between] {
      auto value = std::make_unique<int>(3);
      EXPECT_FALSE(between.send(std::move(value)));
      EXPECT_TRUE(value) << "a value that was not sent was touched";
    });
  }
  between.close();
  everybody().join();
  EXPECT_TRUE(between.closed());
  auto late = std::make_unique<int>(4);
  EXPECT_EQ(between.try_send(std::move(late)), channel_result::closed);
  EXPECT_TRUE(late);
  EXPECT_EQ(**between.receive(), 1);
  EXPECT_EQ(**between.try_receive(), 2);
  channel_result result = channel_result::done;
  EXPECT_FALSE(between.receive_until(deadline::never(), result));
  EXPECT_EQ(result, channel_result::closed);
  between.close();
}

TEST_P(channels, closing_ends_every_wait) {
  channel<int> empty(1);
  for (int i = 0; i < 6; ++i) {
    everybody().start([&empty] { EXPECT_FALSE(empty.receive()); });
  }
  empty.close();
  everybody().join();
}

// What was sent was received or is still there, whatever deadlines say and whenever it is closed.
TEST_P(channels, lose_nothing_to_deadlines_and_closing) {
  const unsigned seed = testing::seed();
  for (int round = 0; round < rounds(40) + 1; ++round) {
    channel<int> between(1 + static_cast<std::size_t>(round % 3));
    std::atomic<long> sent = 0;
    std::atomic<long> received = 0;
    for (unsigned i = 0; i < 6; ++i) {
      everybody().start([&, random = std::mt19937(seed + static_cast<unsigned>(round) * 16 + i),
                         sends = i % 2 == 0]() mutable {
        for (;;) {
          const deadline until =
              random() % 3 == 0 ? deadline::never() : within(random, microseconds(30));
          channel_result result = channel_result::done;
          if (sends) {
            result = between.send_until(until, 1);
            if (result == channel_result::done) ++sent;
          } else if (between.receive_until(until, result)) {
            ++received;
          }
          if (result == channel_result::closed) return;
          EXPECT_TRUE(result != channel_result::timed_out || until.passed());
        }
      });
    }
    testing::becomes_true([&] { return received >= 50; });
    between.close();
    everybody().join();
    EXPECT_EQ(sent, received);
    EXPECT_EQ(between.size(), 0U);
  }
}

TEST_P(channels, may_go_with_whoever_received_the_last_value) {
  for (int round = 0; round < rounds(1000); ++round) {
    auto owned = std::make_unique<channel<int>>(1);
    channel<int>& reply = *owned;
    everybody().start([&reply, round] { EXPECT_TRUE(reply.send(round)); });
    if (round % 2 == 0) yield();
    EXPECT_EQ(reply.receive(), round);
  }
  everybody().join();
}

// Likewise when that sender's deadline passes meanwhile.
TEST_P(channels, may_go_while_a_deadline_of_the_last_sender_passes) {
  for (int round = 0; round < rounds(1000); ++round) {
    auto owned = std::make_unique<channel<int>>(1);
    channel<int>& full = *owned;
    EXPECT_TRUE(full.send(0));
    const deadline until = deadline::after(std::chrono::microseconds(round % 50));
    everybody().start([&full, until] { full.send_until(until, 1); });
    while (!until.passed()) yield();
    EXPECT_EQ(full.receive(), 0);
    if (full.try_receive() != 1) everybody().join();
  }
  everybody().join();
}

// --- values that throw ---

struct fragile {
  explicit fragile(int of, int moves) : number(of), moves_left(moves) { ++alive; }
  fragile(fragile&& other) : number(other.number), moves_left(other.moves_left - 1) {
    if (other.moves_left == 0) {
      other.moves_left = 8;
      throw std::runtime_error("cannot be moved now");
    }
    ++alive;
  }
  fragile& operator=(fragile&&) = delete;
  ~fragile() { --alive; }

  int number;
  int moves_left;
  static inline std::atomic<int> alive = 0;
};

TEST_P(channels, stay_whole_when_a_value_throws_on_its_way_in) {
  {
    channel<fragile> between(1);
    everybody().run([&between] {
      fragile cannot(1, 0);
      EXPECT_THROW(between.send(std::move(cannot)), std::runtime_error);
      EXPECT_EQ(between.size(), 0U);
      EXPECT_TRUE(between.send(fragile(2, 8)));
      EXPECT_EQ(between.receive()->number, 2);
    });
  }
  EXPECT_EQ(fragile::alive, 0);
}

TEST_P(channels, keep_a_value_that_throws_on_its_way_out) {
  {
    channel<fragile> between(2);
    everybody().run([&between] {
      EXPECT_TRUE(between.send(fragile(1, 1)));
      EXPECT_TRUE(between.send(fragile(2, 8)));
      EXPECT_THROW(between.receive(), std::runtime_error);
      EXPECT_EQ(between.size(), 2U);
      EXPECT_EQ(between.receive()->number, 1);
    });
    EXPECT_EQ(fragile::alive, 1);
  }
  EXPECT_EQ(fragile::alive, 0);
}

// Who was promised a room, or a value, and cannot use it passes it on.
TEST_P(channels, pass_on_what_a_throwing_value_leaves) {
  channel<fragile> between(1);
  EXPECT_TRUE(between.send(fragile(0, 8)));
  std::atomic<int> thrown = 0;
  std::atomic<int> sent = 0;
  for (int i = 0; i < 6; ++i) {
    everybody().start([&, i] {
      fragile value(i + 1, i % 2 == 0 ? 0 : 8);
      try {
        between.send(std::move(value));
        ++sent;
      } catch (const std::runtime_error&) {
        ++thrown;
      }
    });
  }
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(between.receive());
  everybody().join();
  EXPECT_EQ(thrown, 3);
  EXPECT_EQ(sent, 3);

  std::atomic<int> received = 0;
  for (int i = 0; i < 4; ++i) {
    everybody().start([&] {
      for (;;) {
        try {
          if (!between.receive()) return;
          ++received;
        } catch (const std::runtime_error&) {
          ++thrown;
        }
      }
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(between.send(fragile(i, 1)));
  ASSERT_TRUE(testing::becomes_true([&] { return received == 20; }));
  between.close();
  everybody().join();
  EXPECT_EQ(thrown, 23);
}

using channel_alone = testing::group_test;

TEST_F(channel_alone, copies_only_what_it_is_told_to_copy) {
  channel<std::vector<int>> between(2);
  const std::vector<int> kept{1, 2, 3};
  EXPECT_TRUE(between.send(kept));
  EXPECT_EQ(kept.size(), 3U);
  std::vector<int> given{4, 5};
  EXPECT_TRUE(between.send(std::move(given)));
  EXPECT_EQ(between.receive(), kept);
  EXPECT_EQ(between.receive(), (std::vector{4, 5}));
}

TEST_F(channel_alone, without_room_is_reported) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(channel<int>(0), "room for one value at least");
}

}  // namespace
}  // namespace umcg::sync
