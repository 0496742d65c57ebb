// SPDX-License-Identifier: MIT

// Deadline and cancellation scopes around the waits of sync, for everybody who may wait. A wait
// that its scope does not end is a test that hangs.

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <random>
#include <shared_mutex>

#include <asio/error.hpp>

#include "umcg/cancellation.hpp"
#include "umcg/deadline_scope.hpp"
#include "umcg/sync.hpp"
#include "unit/sync/crowd.hpp"

namespace umcg::sync {
namespace {

using std::chrono::microseconds;
using testing::long_ago;
using testing::rounds;
using testing::soon;
using testing::within;

class scopes : public testing::crowd_test {};
INSTANTIATE_TEST_SUITE_P(all, scopes, testing::all_crowds(), testing::crowd_name);

std::error_code error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error.code();
  }
  return {};
}

// One of each, in a state in which everybody has to wait.
struct everything {
  everything() {
    shared.lock();
    full.send(1);
  }
  ~everything() { shared.unlock(); }
  everything(const everything&) = delete;
  everything& operator=(const everything&) = delete;

  // All waits without a deadline of their own, and with one.
  std::vector<std::function<void(deadline)>> waits() {
    return {
        [this](deadline until) { units.acquire_until(until); },
        [this](deadline until) { happens.wait_until(until); },
        [this](deadline until) { parts.wait_until(until); },
        [this](deadline until) { shared.try_lock_until(until); },
        [this](deadline until) { shared.try_lock_shared_until(until); },
        [this](deadline until) { empty.receive_until(until); },
        [this](deadline until) { full.send_until(until, 2); },
        [this](deadline until) {
          std::optional<int> into;
          select_until(until, receiving(into, empty), sending(3, full));
        },
        [this](deadline until) {
          mutex guards;
          std::unique_lock lock(guards);
          struct still_locked {
            const std::unique_lock<mutex>& lock;
            ~still_locked() { EXPECT_TRUE(lock.owns_lock()); }
          } const checked{lock};
          changed.wait_until(lock, until);
        },
        [](deadline until) {
          // A mutex has to be somebody else's.
          mutex guards;
          event locked;
          event may_unlock;
          std::thread owner([&] {
            const std::lock_guard lock(guards);
            locked.set();
            may_unlock.wait();
          });
          {
            const scope_shield aside;
            locked.wait();
          }
          const auto again = [&] {
            may_unlock.set();
            owner.join();
          };
          try {
            guards.try_lock_until(until);
          } catch (...) {
            again();
            throw;
          }
          again();
        },
    };
  }

  semaphore units{0};
  event happens;
  wait_group parts{1};
  shared_mutex shared;
  condition_variable changed;
  channel<int> empty{1};
  channel<int> full{1};
};

TEST_P(scopes, deadlines_bound_every_wait) {
  everything all;
  for (const auto& wait : all.waits()) {
    everybody().run([&wait] {
      const deadline until = soon();
      const deadline_scope bounded(until);
      EXPECT_EQ(error_of([&] { wait(deadline::never()); }), asio::error::timed_out);
      EXPECT_TRUE(until.passed());
      EXPECT_EQ(error_of([&] { wait(deadline::never()); }), asio::error::timed_out);
    });
  }
}

TEST_P(scopes, a_wait_whose_own_deadline_is_earlier_says_so) {
  everything all;
  for (const auto& wait : all.waits()) {
    everybody().run([&wait] {
      const deadline_scope bounded(testing::patience());
      const cancellation_source never_cancelled;
      const cancellation_scope scope(never_cancelled.token());
      const deadline until = soon();
      EXPECT_FALSE(error_of([&] { wait(until); }));
      EXPECT_TRUE(until.passed());
      EXPECT_FALSE(error_of([&] { wait(long_ago()); }));
    });
  }
}

TEST_P(scopes, cancelling_ends_every_wait) {
  everything all;
  for (const auto& wait : all.waits()) {
    cancellation_source source;
    wait_group begun(3);
    for (int i = 0; i < 3; ++i) {
      everybody().start([&] {
        const cancellation_scope scope(source.token());
        begun.done();
        EXPECT_EQ(error_of([&] { wait(deadline::never()); }), asio::error::operation_aborted);
        EXPECT_TRUE(cancellation_scope::cancelled());
        // And what comes later.
        EXPECT_EQ(error_of([&] { wait(testing::patience()); }), asio::error::operation_aborted);
      });
    }
    begun.wait();
    source.cancel();
    everybody().join();
  }
}

TEST_P(scopes, what_need_not_wait_succeeds_in_them) {
  cancellation_source source;
  source.cancel();
  for (int i = 0; i < 6; ++i) {
    everybody().run([&source] {
      const deadline_scope bounded(long_ago());
      const cancellation_scope scope(source.token());
      mutex guards;
      const std::lock_guard lock(guards);
      semaphore one(1);
      one.acquire();
      EXPECT_FALSE(one.try_acquire());
      EXPECT_FALSE(one.acquire_until(long_ago()));
      channel<int> between(1);
      EXPECT_TRUE(between.send(1));
      EXPECT_EQ(between.receive(), 1);
      EXPECT_FALSE(between.try_receive());
    });
  }
}

TEST_P(scopes, end_with_the_block) {
  for (int i = 0; i < 6; ++i) {
    everybody().run([] {
      semaphore none(0);
      {
        const deadline_scope outer(testing::patience());
        const deadline_scope inner(long_ago());
        const deadline_scope later(testing::patience());
        EXPECT_TRUE(deadline_scope::current().passed());
        EXPECT_EQ(error_of([&] { none.acquire(); }), asio::error::timed_out);
        const scope_shield shielded;
        EXPECT_TRUE(deadline_scope::current().is_never());
        EXPECT_FALSE(none.acquire_until(soon()));
      }
      EXPECT_TRUE(deadline_scope::current().is_never());
      EXPECT_FALSE(none.acquire_until(soon()));
    });
  }
}

// Whoever is cancelled leaves its place in line; others, and the unit, are not touched by that.
// Cancellers come before a wait, in it, after it and when the scope has gone. What nobody gives
// ends by them, or at the deadline.
TEST_P(scopes, cancelling_races_with_wakes_and_deadlines) {
  constexpr int pairs = 4;
  const int each = rounds(1000);
  const unsigned seed = testing::seed();
  semaphore units(1);
  semaphore nothing(0);
  std::atomic<int> inside = 0;
  channel<cancellation_source> to_cancel(2);
  wait_group waiting(pairs);
  const auto use_the_unit = [&] {
    units.acquire();
    EXPECT_EQ(++inside, 1);
    yield();
    --inside;
    units.release();
  };
  for (unsigned i = 0; i < pairs; ++i) {
    everybody().start([&, i] {
      std::mt19937 random(seed + i);
      for (int round = 0; round < each; ++round) {
        const cancellation_source source;
        to_cancel.send(source);
        const cancellation_scope scope(source.token());
        const bool has_deadline = random() % 2 == 0;
        const deadline_scope bounded(has_deadline ? within(random, microseconds(40))
                                                  : deadline::never());
        const bool waits_for_nothing = random() % 4 == 0;
        const std::error_code error = waits_for_nothing
                                          ? error_of([&nothing] { nothing.acquire(); })
                                          : error_of(use_the_unit);
        if (!error && !waits_for_nothing) continue;
        EXPECT_TRUE(error == asio::error::operation_aborted ||
                    (has_deadline && error == asio::error::timed_out));
      }
      waiting.done();
    });
    everybody().start([&] {
      for (cancellation_source& source : to_cancel) source.cancel();
    });
  }
  waiting.wait();
  to_cancel.close();
  everybody().join();
  EXPECT_EQ(units.available(), 1U);
}

}  // namespace
}  // namespace umcg::sync
