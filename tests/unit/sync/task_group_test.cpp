// SPDX-License-Identifier: MIT

// Task groups, joined by everybody who may join. A child that is not cancelled is a test that
// hangs.
#include "umcg/task_group.hpp"

#include <atomic>
#include <stdexcept>
#include <string>

#include <asio/error.hpp>

#include "umcg/deadline_scope.hpp"
#include "umcg/sync.hpp"
#include "unit/sync/crowd.hpp"

namespace umcg {
namespace {

using testing::long_ago;
using testing::patience;
using testing::rounds;
using testing::soon;

class task_groups : public testing::crowd_test {
 protected:
  void SetUp() override {
    crowd_test::SetUp();
    if (!IsSkipped()) children_.emplace(group::start({.servers = GetParam().servers}));
  }
  void TearDown() override {
    crowd_test::TearDown();
    children_.reset();
  }
  group& children() { return *children_; }

 private:
  std::optional<group> children_;
};
INSTANTIATE_TEST_SUITE_P(all, task_groups, testing::all_crowds(), testing::crowd_name);

std::error_code error_of_join(task_group& parts) {
  try {
    parts.join();
  } catch (const std::system_error& error) {
    return error.code();
  }
  return {};
}

TEST_P(task_groups, join_all_children) {
  for (int i = 0; i < 6; ++i) {
    everybody().run([this] {
      for (int round = 0; round < rounds(200); ++round) {
        int first = 0;
        int second = 0;
        task_group parts;
        parts.spawn(children(), [&first] { first = 1; });
        parts.spawn(children(), [&second] {
          yield();
          second = 2;
        });
        parts.join();
        EXPECT_EQ(first + second, 3);
        parts.spawn(children(), [&first] { first = 5; });
        parts.join();
        EXPECT_EQ(first, 5);
      }
    });
  }
}

TEST_P(task_groups, join_at_the_latest_in_the_destructor_which_cancels) {
  everybody().run([this] {
    std::atomic<bool> aborted = false;
    {
      sync::event begun;
      task_group parts;
      parts.spawn(children(), [&] {
        begun.set();
        try {
          sleep_until(deadline::never());
        } catch (const std::system_error& error) {
          aborted = error.code() == asio::error::operation_aborted;
          throw;
        }
      });
      begun.wait();
    }
    EXPECT_TRUE(aborted);
  });
}

TEST_P(task_groups, throw_the_first_exception_and_cancel_the_others) {
  for (int i = 0; i < 3; ++i) {
    everybody().run([this] {
      sync::semaphore never(0);
      sync::channel<int> empty(1);
      std::atomic<int> ended = 0;
      task_group parts;
      const auto until_cancelled = [&](auto wait) {
        return [&ended, wait] {
          try {
            wait();
          } catch (const std::system_error&) {
            ++ended;
            throw std::runtime_error("second");
          }
        };
      };
      parts.spawn(children(), until_cancelled([&never] { never.acquire(); }));
      parts.spawn(children(), until_cancelled([&empty] { empty.receive(); }));
      parts.spawn(children(), until_cancelled([] { sleep_until(deadline::never()); }));
      parts.spawn(children(), [] { throw std::logic_error("first"); });
      EXPECT_THROW(parts.join(), std::logic_error);
      EXPECT_EQ(ended, 3);
      EXPECT_TRUE(parts.token().cancelled());
      parts.join();
    });
  }
}

TEST_P(task_groups, a_child_that_is_cancelled_has_not_failed) {
  everybody().run([this] {
    task_group parts;
    parts.spawn(children(), [] { sleep_until(deadline::never()); });
    parts.cancel();
    parts.spawn(children(), [] { sleep_until(deadline::never()); });
    EXPECT_FALSE(error_of_join(parts));
  });
}

TEST_P(task_groups, inherit_deadlines) {
  everybody().run([this] {
    const deadline until = soon();
    const deadline_scope bounded(until);
    task_group parts;
    parts.spawn(children(), [] { sleep_until(deadline::never()); });
    parts.spawn(children(), [] { sync::semaphore(0).acquire(); });
    EXPECT_EQ(error_of_join(parts), asio::error::timed_out);
    EXPECT_TRUE(until.passed());
  });
}

TEST_P(task_groups, are_cancelled_with_the_scopes_around_them) {
  for (const bool outer_is_cancelled : {false, true}) {
    cancellation_source outer;
    cancellation_source inner;
    sync::event begun;
    everybody().start([&] {
      const cancellation_scope around(outer.token());
      const cancellation_scope scope(inner.token());
      task_group parts;
      parts.spawn(children(), [&] {
        task_group below;
        below.spawn(children(), [&] {
          begun.set();
          sleep_until(deadline::never());
        });
        below.join();
      });
      EXPECT_EQ(error_of_join(parts), asio::error::operation_aborted);
    });
    begun.wait();
    (outer_is_cancelled ? outer : inner).cancel();
    everybody().join();
  }
}

TEST_P(task_groups, wait_for_children_whatever_scopes_say) {
  everybody().run([this] {
    cancellation_source source;
    source.cancel();
    const cancellation_scope scope(source.token());
    const deadline_scope bounded(long_ago());
    bool done = false;
    task_group parts;
    parts.spawn(children(), [&done] {
      const scope_shield shielded;
      sleep_until(soon());
      done = true;
    });
    EXPECT_FALSE(error_of_join(parts));
    EXPECT_TRUE(done);
  });
}

TEST_P(task_groups, take_children_from_children) {
  everybody().run([this] {
    std::atomic<int> ran = 0;
    task_group parts;
    std::function<void(int)> branch = [&](int depth) {
      ++ran;
      if (depth == 0) return;
      parts.spawn(children(), [&branch, depth] { branch(depth - 1); });
      parts.spawn(children(), [&branch, depth] { branch(depth - 1); });
    };
    parts.spawn(children(), [&branch] { branch(5); });
    parts.join();
    EXPECT_EQ(ran, 63);
  });
}

// What a child captured is gone when join() returns.
TEST_P(task_groups, destroy_what_children_captured_before_they_are_done) {
  everybody().run([this] {
    for (int round = 0; round < rounds(200); ++round) {
      struct counts_down {
        explicit counts_down(int& count) : count_(&count) {}
        counts_down(counts_down&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
        counts_down& operator=(counts_down&&) = delete;
        ~counts_down() {
          if (count_ != nullptr) --*count_;
        }
        int* count_;
      };
      int left = 1;
      task_group parts;
      parts.spawn(children(), [captured = counts_down(left)] { yield(); });
      parts.join();
      EXPECT_EQ(left, 0);
    }
  });
}

TEST_P(task_groups, say_when_no_worker_can_be_had) {
  group small = group::start({.servers = 1, .workers_max = 1});
  everybody().run([&small] {
    sync::event may_end;
    task_group parts;
    parts.spawn(small, [&may_end] { may_end.wait(); });
    EXPECT_THROW(parts.spawn(small, [] {}), std::system_error);
    may_end.set();
    parts.join();
  });
}

// Failures, cancellations and children that come while others end.
TEST_P(task_groups, survive_races) {
  const unsigned seed = testing::seed();
  for (unsigned i = 0; i < 3; ++i) {
    everybody().start([this, seed, i] {
      std::mt19937 random(seed + i);
      for (int round = 0; round < rounds(300); ++round) {
        const bool fails = random() % 2 == 0;
        task_group parts;
        sync::semaphore turns(0);
        for (int child = 0; child < 3; ++child) {
          parts.spawn(children(), [&turns, &parts, fails, child] {
            if (child == 0) turns.acquire();
            if (child == 1 && fails) throw std::logic_error("fails");
            if (child == 1) parts.cancel();
            if (child == 2) turns.release();
          });
        }
        try {
          parts.join();
          EXPECT_FALSE(fails);
        } catch (const std::logic_error&) {
          EXPECT_TRUE(fails);
        }
      }
    });
  }
  everybody().join();
}

}  // namespace
}  // namespace umcg
