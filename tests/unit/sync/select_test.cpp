// SPDX-License-Identifier: MIT

// Waiting for the first of several channels. A wake that is lost is a test that hangs.
#include "umcg/sync/select.hpp"

#include <array>
#include <atomic>
#include <memory>
#include <random>
#include <stdexcept>

#include "umcg/sync.hpp"
#include "unit/sync/crowd.hpp"

namespace umcg::sync {
namespace {

using std::chrono::microseconds;
using testing::long_ago;
using testing::rounds;
using testing::soon;
using testing::within;

class selects : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, selects, testing::all_crowds(), testing::crowd_name);

TEST_P(selects, take_what_can_be_done) {
  for (int i = 0; i < 6; ++i) {
    everybody().run([] {
      channel<int> numbers(1);
      channel<std::string> words(1);
      std::optional<int> number;
      std::optional<std::string> word;
      select_result done = try_select(receiving(number, numbers), receiving(word, words));
      EXPECT_EQ(done.chosen, select_result::none);
      EXPECT_EQ(done.result, channel_result::timed_out);

      words.send("a word");
      done = select(receiving(number, numbers), receiving(word, words));
      EXPECT_EQ(done.chosen, 1U);
      EXPECT_EQ(done.result, channel_result::done);
      EXPECT_EQ(word, "a word");
      EXPECT_FALSE(number);

      done = select(receiving(word, words), sending(7, numbers));
      EXPECT_EQ(done.chosen, 1U);
      EXPECT_EQ(numbers.receive(), 7);
    });
  }
}

TEST_P(selects, end_at_the_deadline_and_leave_every_line) {
  channel<int> empty(1);
  channel<int> full(1);
  full.send(1);
  for (int i = 0; i < 6; ++i) {
    everybody().start([&] {
      std::optional<int> into = 5;
      const deadline until = soon();
      const select_result done = select_until(until, receiving(into, empty), sending(2, full));
      EXPECT_EQ(done.result, channel_result::timed_out);
      EXPECT_TRUE(until.passed());
      EXPECT_EQ(into, 5) << "a case that was not done was touched";
    });
  }
  everybody().join();
  // Those who left would be promised these.
  EXPECT_EQ(full.try_receive(), 1);
  EXPECT_EQ(full.try_send(3), channel_result::done);
  EXPECT_EQ(empty.try_send(4), channel_result::done);
  EXPECT_EQ(empty.try_receive(), 4);
}

TEST_P(selects, see_channels_that_are_closed) {
  channel<std::unique_ptr<int>> one(1);
  channel<int> other(1);
  for (int i = 0; i < 6; ++i) {
    everybody().start([&] {
      std::optional<std::unique_ptr<int>> into = std::make_unique<int>(1);
      std::optional<int> number;
      const select_result done = select(receiving(number, other), receiving(into, one));
      EXPECT_EQ(done.chosen, 1U);
      EXPECT_EQ(done.result, channel_result::closed);
      EXPECT_FALSE(into);
    });
  }
  one.close();
  everybody().join();
  everybody().run([&one] {
    auto value = std::make_unique<int>(1);
    EXPECT_EQ(select(sending(std::move(value), one)).result, channel_result::closed);
    EXPECT_TRUE(value) << "a value that was not sent was touched";
  });
}

// Each is chosen about as often as the others, whatever its place.
TEST_P(selects, are_fair) {
  everybody().run([] {
    constexpr int turns = 3000;
    std::array<channel<int>, 3> all{channel<int>(1), channel<int>(1), channel<int>(1)};
    channel<int> never(1);
    std::array<int, 4> chosen{};
    for (channel<int>& each : all) each.send(1);
    for (int turn = 0; turn < turns; ++turn) {
      std::optional<int> into;
      const std::size_t which = select(receiving(into, all[0]), receiving(into, never),
                                       receiving(into, all[1]), receiving(into, all[2]))
                                    .chosen;
      ++chosen.at(which);
      all.at(which == 0 ? 0 : which - 1).send(1);
    }
    EXPECT_EQ(chosen[1], 0);
    for (const std::size_t which : {0U, 2U, 3U}) EXPECT_GT(chosen.at(which), turns / 6);
  });
}

struct throws_when_moved {
  throws_when_moved() = default;
  throws_when_moved(throws_when_moved&&) { throw std::runtime_error("moved"); }
  throws_when_moved(const throws_when_moved&) = default;
};

TEST_P(selects, leave_the_channel_whole_if_a_value_throws) {
  everybody().run([] {
    channel<throws_when_moved> between(1);
    const throws_when_moved value;
    EXPECT_THROW(select(sending(throws_when_moved(), between)), std::runtime_error);
    EXPECT_EQ(between.size(), 0U);
    EXPECT_EQ(select(sending(value, between)).result, channel_result::done);
    std::optional<throws_when_moved> into;
    EXPECT_THROW(select(receiving(into, between)), std::runtime_error);
    EXPECT_EQ(between.size(), 1U);
  });
}

// Everything is sent and received by selects over the same channels, with deadlines between: every
// value once.
TEST_P(selects, lose_no_value_and_nobody) {
  constexpr int senders = 4;
  constexpr int receivers = 4;
  const int each = rounds(1500);
  const unsigned seed = testing::seed();
  std::array<channel<int>, 3> all{channel<int>(1), channel<int>(2), channel<int>(1)};
  std::atomic<long> sum = 0;
  std::atomic<int> left = senders * each;
  event over;
  for (unsigned i = 0; i < senders; ++i) {
    everybody().start([&, i] {
      std::mt19937 random(seed + i);
      for (int value = 1; value <= each;) {
        const deadline until =
            random() % 3 == 0 ? within(random, microseconds(40)) : deadline::never();
        const select_result done = select_until(until, sending(value, all[0]),
                                                sending(value, all[1]), sending(value, all[2]));
        if (done.result == channel_result::done) ++value;
      }
    });
  }
  for (unsigned i = 0; i < receivers; ++i) {
    everybody().start([&, i] {
      std::mt19937 random(seed + senders + i);
      for (;;) {
        std::optional<int> value;
        const deadline until =
            random() % 3 == 0 ? within(random, microseconds(40)) : deadline::never();
        const select_result done =
            random() % 4 == 0 ? select_until(within(random, microseconds(40)),
                                             receiving(value, all[2]), receiving(value, all[2]))
                              : select_until(until, receiving(value, all[0]),
                                             receiving(value, all[1]), receiving(value, all[2]));
        if (done.result == channel_result::closed) return;
        if (!value) continue;
        sum += *value;
        if (--left == 0) over.set();
      }
    });
  }
  over.wait();
  for (channel<int>& each_of : all) each_of.close();
  everybody().join();
  EXPECT_EQ(sum, static_cast<long>(senders) * each * (each + 1) / 2);
  for (channel<int>& each_of : all) EXPECT_EQ(each_of.size(), 0U);
}

// One who waits at both ends of a channel meets others who do.
TEST_P(selects, meet_each_other) {
  const int each = rounds(1500);
  channel<int> there(1);
  channel<int> back(1);
  std::atomic<long> on_the_way = 0;
  for (int i = 0; i < 6; ++i) {
    everybody().start([&] {
      std::optional<int> into = 0;
      for (int sent = 0; sent < each;) {
        const select_result done = select(sending(1, there), receiving(into, there),
                                          sending(1, back), receiving(into, back));
        const bool was_sent = done.chosen % 2 == 0;
        sent += was_sent ? 1 : 0;
        on_the_way += was_sent ? 1 : -1;
      }
    });
  }
  everybody().join();
  EXPECT_EQ(on_the_way, static_cast<long>(there.size() + back.size()));
}

// A value that finds a select which has got another one is for whoever waits behind it.
TEST_P(selects, keep_nothing_from_others) {
  for (int round = 0; round < rounds(2000); ++round) {
    channel<int> one(1);
    channel<int> other(1);
    everybody().start([&] {
      std::optional<int> value;
      const select_result done = select(receiving(value, other), receiving(value, one));
      if (done.chosen == 0) other.send(1);
    });
    everybody().start([&other] { other.receive(); });
    everybody().start([&one] { one.send(1); });
    other.send(1);
    everybody().join();
  }
}

TEST_P(selects, let_channels_be_destroyed_when_they_return) {
  for (int round = 0; round < rounds(500); ++round) {
    auto one = std::make_unique<channel<int>>(1);
    auto other = std::make_unique<channel<int>>(1);
    everybody().start([&] {
      std::optional<int> into;
      EXPECT_EQ(select(receiving(into, *one), receiving(into, *other)).result,
                channel_result::done);
      EXPECT_EQ(into, 1);
      other.reset();
    });
    one->send(1);
    everybody().join();
  }
}

}  // namespace
}  // namespace umcg::sync
