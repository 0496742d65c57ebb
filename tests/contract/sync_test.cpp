// SPDX-License-Identifier: MIT
// The waits of umcg::sync on the simulated machine: who goes on at each access to a word, and when
// a sleep ends without a reason, follows from a seed. Nobody has a deadline who need not have one,
// so a wake that is lost is found as "everybody sleeps". tests/unit/sync is the same on real ones.
#include "umcg/sync.hpp"

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <system_error>

#include "contract/harness.hpp"
#include "umcg/cancellation.hpp"
#include "umcg/deadline_scope.hpp"

namespace contract {
namespace {

using umcg::deadline;
using namespace umcg::sync;  // NOLINT: this file is about it

struct shape {
  const char* name;
  int servers;
  bool threads;  // every second member is one
};

class simulated_sync : public testing::TestWithParam<shape> {
 protected:
  // Lets each of them run beside the others, and waits for all.
  void together(std::vector<std::function<void()>> parts) {
    group group;
    group.serve(GetParam().servers);
    {
      std::vector<std::unique_ptr<worker>> workers;
      std::vector<std::unique_ptr<thread>> threads;
      bool as_thread = false;
      for (auto& part : parts) {
        if (as_thread) {
          threads.push_back(std::make_unique<thread>(std::move(part)));
        } else {
          workers.push_back(std::make_unique<worker>(group, std::move(part)));
        }
        as_thread = GetParam().threads && !as_thread;
      }
    }
    group.stop();
  }
};

INSTANTIATE_TEST_SUITE_P(all, simulated_sync,
                         testing::Values(shape{"workers_of_one_server", 1, false},
                                         shape{"workers_of_two_servers", 2, false},
                                         shape{"workers_and_threads", 1, true}),
                         [](const auto& each) { return each.param.name; });

deadline soon() { return deadline::after(nanoseconds(random(20'000))); }
deadline maybe_soon() { return random(2) == 0 ? soon() : deadline::never(); }

TEST_P(simulated_sync, mutexes_have_one_owner) {
  umcg::sync::mutex guards;
  int inside = 0;
  const auto play = [&] {
    for (int round = rounds(800); round > 0; --round) {
      if (!guards.try_lock_until(maybe_soon())) continue;
      EXPECT_EQ(++inside, 1);
      pause();
      --inside;
      guards.unlock();
    }
  };
  together({play, play, play});
  EXPECT_TRUE(guards.try_lock());
  guards.unlock();
}

TEST_P(simulated_sync, shared_mutexes_have_one_writer_or_readers) {
  umcg::sync::shared_mutex guards;
  int readers = 0;
  int writers = 0;
  const auto play = [&] {
    for (int round = rounds(600); round > 0; --round) {
      if (random(2) == 0) {
        if (!guards.try_lock_until(maybe_soon())) continue;
        EXPECT_EQ(++writers, 1);
        EXPECT_EQ(readers, 0);
        pause();
        --writers;
        guards.unlock();
      } else {
        if (!guards.try_lock_shared_until(maybe_soon())) continue;
        ++readers;
        EXPECT_EQ(writers, 0);
        pause();
        --readers;
        guards.unlock_shared();
      }
    }
  };
  together({play, play, play});
  EXPECT_TRUE(guards.try_lock());
  guards.unlock();
}

TEST_P(simulated_sync, conditions_lose_no_notification) {
  umcg::sync::mutex guards;
  condition_variable there;
  const int tokens = 2 * rounds(600);
  int left = 0;
  int taken = 0;
  const auto take = [&] {
    std::unique_lock lock(guards);
    for (int mine = tokens / 2; mine > 0;) {
      if (left > 0) {
        --left;
        ++taken;
        --mine;
      } else {
        there.wait_until(lock, maybe_soon());
      }
    }
  };
  const auto give = [&] {
    for (int token = 0; token < tokens; ++token) {
      {
        const std::lock_guard lock(guards);
        ++left;
      }
      random(2) == 0 ? there.notify_one() : there.notify_all();
    }
  };
  together({take, give, take});
  EXPECT_EQ(taken, tokens);
  EXPECT_EQ(left, 0);
}

TEST_P(simulated_sync, semaphores_events_and_wait_groups_let_everybody_go_on) {
  for (int round = rounds(300); round > 0; --round) {
    semaphore units(1);
    event begun;
    wait_group parts(2);
    const auto play = [&] {
      begun.wait();
      while (!units.acquire_until(maybe_soon())) {
      }
      units.release();
      parts.done();
      parts.wait();
    };
    together({play, [&begun] { begun.set(); }, play});
    EXPECT_EQ(units.available(), 1U);
  }
}

TEST_P(simulated_sync, channels_hand_over_every_value_once) {
  channel<int> between(1);
  const int each = rounds(600);
  int received = 0;
  wait_group sending(2);
  const auto send = [&] {
    for (int value = 1; value <= each;) {
      if (between.send_until(maybe_soon(), value) == channel_result::done) ++value;
    }
    sending.done();
  };
  const auto close = [&] {
    sending.wait();
    between.close();
  };
  const auto receive = [&] {
    for (const int value : between) received += value;
  };
  together({send, receive, close, send});
  EXPECT_EQ(received, each * (each + 1));
}

TEST_P(simulated_sync, selects_lose_no_value_and_nobody) {
  channel<int> one(1);
  channel<int> other(1);
  const int each = rounds(400);
  int sum = 0;
  int left = 2 * each;
  const auto send = [&] {
    for (int value = 1; value <= each;) {
      const select_result done =
          select_until(maybe_soon(), sending(value, one), sending(value, other));
      if (done.result == channel_result::done) ++value;
    }
  };
  const auto receive = [&] {
    for (;;) {
      std::optional<int> value;
      const select_result done =
          select_until(maybe_soon(), receiving(value, one), receiving(value, other));
      if (done.result == channel_result::closed) return;
      if (!value) continue;
      sum += *value;
      if (--left > 0) continue;
      one.close();
      other.close();
    }
  };
  together({send, receive, send, receive});
  EXPECT_EQ(sum, each * (each + 1));
}

// A value that finds a select which has got another one is for whoever waits behind it.
TEST_P(simulated_sync, selects_keep_nothing_from_others) {
  for (int round = rounds(400); round > 0; --round) {
    channel<int> one(1);
    channel<int> other(1);
    const auto select_any = [&] {
      std::optional<int> value;
      const bool took_the_others =
          select(receiving(value, other), receiving(value, one)).chosen == 0;
      if (took_the_others) other.send(1);
    };
    together({select_any, [&] { other.receive(); }, [&one] { one.send(1); },
              [&other] { other.send(1); }});
  }
}

// Whoever is cancelled leaves its line, and its scope, beside wakes, deadlines and the canceller.
TEST_P(simulated_sync, cancelling_ends_waits_and_takes_nothing) {
  semaphore units(1);
  for (int round = rounds(400); round > 0; --round) {
    umcg::cancellation_source source;
    umcg::cancellation_source inner(random(2) == 0 ? source.token() : umcg::cancellation_token());
    const auto use = [&] {
      const umcg::cancellation_scope outer_scope(source.token());
      try {
        const umcg::cancellation_scope scope(inner.token());
        const umcg::deadline_scope bounded(maybe_soon());
        units.acquire();
        pause();
        units.release();
      } catch (const std::system_error&) {
      }
      try {
        semaphore(0).acquire();
      } catch (const std::system_error&) {
        EXPECT_TRUE(umcg::cancellation_scope::cancelled());
      }
    };
    together({use, [&inner] { inner.cancel(); }, use, [&source] { source.cancel(); }});
    EXPECT_EQ(units.available(), 1U);
  }
}

// Mutexes and channels are destroyed as soon as their users may.
TEST_P(simulated_sync, the_last_user_destroys) {
  for (int round = rounds(300); round > 0; --round) {
    auto guards = std::make_unique<umcg::sync::mutex>();
    auto ways = std::make_unique<channel<int>>(1);
    int uses = 2;
    const auto use = [&] {
      umcg::sync::mutex& mine = *guards;
      mine.lock();
      const bool last = --uses == 0;
      mine.unlock();
      if (last) guards.reset();
    };
    const auto receive = [&] {
      EXPECT_EQ(ways->receive(), 1);
      ways.reset();
    };
    together({use, receive, use, [&ways] { ways->send(1); }});
    EXPECT_FALSE(guards);
  }
}

}  // namespace
}  // namespace contract
