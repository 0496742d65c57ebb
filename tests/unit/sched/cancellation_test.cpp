// SPDX-License-Identifier: MIT

// Sources, tokens and which of them are below which. What a cancellation ends is tested where it
// waits: unit/sync/scopes_test, unit/io/cancellation_test.
#include "umcg/cancellation.hpp"

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "unit/sched/time_limits.hpp"

namespace umcg {
namespace {

bool cancelled_in(const cancellation_token& token) {
  const cancellation_scope scope(token);
  return cancellation_scope::cancelled();
}

TEST(cancellation, a_token_says_whether_its_source_is_cancelled) {
  cancellation_source source;
  const cancellation_token token = source.token();
  const cancellation_source same = source;
  EXPECT_FALSE(token.cancelled());
  EXPECT_FALSE(cancelled_in(token));
  source.cancel();
  source.cancel();
  EXPECT_TRUE(token.cancelled());
  EXPECT_TRUE(same.cancelled());
  EXPECT_TRUE(cancelled_in(token));
}

TEST(cancellation, a_token_of_no_source_is_never_cancelled) {
  const cancellation_token none;
  EXPECT_FALSE(none.cancelled());
  EXPECT_FALSE(cancelled_in(none));
  EXPECT_FALSE(cancellation_source(none).cancelled());
}

TEST(cancellation, tokens_outlive_their_sources) {
  cancellation_token token;
  {
    cancellation_source source;
    token = source.token();
    cancellation_token moved = std::move(token);
    token = moved;
    source.cancel();
  }
  EXPECT_TRUE(token.cancelled());
}

TEST(cancellation, goes_down_and_not_up) {
  cancellation_source top;
  cancellation_source left(top.token());
  const cancellation_source right(top.token());
  const cancellation_source below_left(left.token());
  left.cancel();
  EXPECT_TRUE(below_left.cancelled());
  EXPECT_FALSE(top.cancelled());
  EXPECT_FALSE(right.cancelled());
  top.cancel();
  EXPECT_TRUE(right.cancelled());
  EXPECT_TRUE(cancellation_source(top.token()).cancelled()) << "one that comes later";
}

TEST(cancellation, reaches_any_number_below) {
  cancellation_source top;
  std::vector<cancellation_source> children;
  for (int i = 0; i < 100; ++i) children.emplace_back(top.token());
  cancellation_token deepest = top.token();
  for (int i = 0; i < 1000; ++i) deepest = cancellation_source(deepest).token();
  std::deque<cancellation_scope> scopes;
  for (const cancellation_source& each : children) scopes.emplace_back(each.token());
  top.cancel();
  for (const cancellation_source& each : children) EXPECT_TRUE(each.cancelled());
  for (const cancellation_scope& each : scopes) EXPECT_TRUE(each.is_cancelled());
  EXPECT_TRUE(deepest.cancelled());
  while (!scopes.empty()) scopes.pop_back();
}

TEST(cancellation, of_an_inner_scope_leaves_the_outer_one_alone) {
  cancellation_source outer;
  cancellation_source inner;
  const cancellation_scope around(outer.token());
  {
    const cancellation_scope scope(inner.token());
    inner.cancel();
    EXPECT_TRUE(cancellation_scope::cancelled());
    {
      const scope_shield shielded;
      EXPECT_FALSE(cancellation_scope::cancelled());
    }
    EXPECT_TRUE(cancellation_scope::cancelled());
  }
  EXPECT_FALSE(cancellation_scope::cancelled());
  const cancellation_source below = cancellation_source::below_scopes();
  EXPECT_FALSE(below.cancelled());
  outer.cancel();
  EXPECT_TRUE(cancellation_scope::cancelled());
  EXPECT_TRUE(below.cancelled());
  EXPECT_TRUE(cancellation_source::below_scopes().cancelled());
}

TEST(cancellation, below_scopes_is_below_all_of_them) {
  for (int which = 0; which < 3; ++which) {
    std::vector<cancellation_source> sources(3);
    const cancellation_scope first(sources[0].token());
    const cancellation_scope second(sources[1].token());
    const cancellation_scope third(sources[2].token());
    const cancellation_source below = cancellation_source::below_scopes();
    sources[static_cast<std::size_t>(which)].cancel();
    EXPECT_TRUE(below.cancelled());
  }
}

// Sources, scopes and sources below come and go while others cancel what is above them.
TEST(cancellation, races_with_those_who_come_and_go) {
  const int rounds = 3000 / testing::slowness;
  for (int round = 0; round < rounds; ++round) {
    cancellation_source top;
    std::atomic<int> ready = 0;
    const auto together = [&ready] {
      for (++ready; ready < 3;) std::this_thread::yield();
    };
    std::thread canceller([&] {
      together();
      top.cancel();
    });
    std::thread below([&] {
      cancellation_source middle(top.token());
      const cancellation_scope scope(middle.token());
      const cancellation_source deep(middle.token());
      together();
      const cancellation_source late(middle.token());
    });
    together();
    for (int i = 0; i < 3; ++i) {
      const cancellation_source child(top.token());
      const cancellation_scope scope(child.token());
    }
    const cancellation_source lasting(top.token());
    const cancellation_scope scope(lasting.token());
    canceller.join();
    below.join();
    EXPECT_TRUE(lasting.cancelled());
    EXPECT_TRUE(cancellation_scope::cancelled());
  }
}

}  // namespace
}  // namespace umcg
