// SPDX-License-Identifier: MIT

// Hand-offs and signals: workers that take none, or take them in another way, and what they leave
// behind on their carriers.
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "libumcg/preemption.hpp"
#include "libumcg/task.hpp"
#include "sanitizer.hpp"
#include "unit/sched/byte_pipe.hpp"
#include "unit/sched/deaf_workers.hpp"
#include "unit/sched/hand_off_stage.hpp"

namespace umcg {
namespace {

using std::chrono::milliseconds;

class hand_off_signals : public testing::hand_off_stage {};

TEST_P(hand_off_signals, are_blocked_by_a_worker_that_computes) {
  const std::uint64_t before = on.counters().handoffs_by(handoff_cause::quantum);
  testing::deaf_workers deaf(on, GetParam());
  others_go_on();
  deaf.join();
  EXPECT_GE(on.counters().handoffs_by(handoff_cause::quantum) - before, 1U);
}

// Having lost its server it computes beside that, on a carrier of its own, until it is recalled.
TEST_P(hand_off_signals, recall_who_computes_beside_the_servers) {
  if (testing::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer blocks all signals in handlers";
  const testing::byte_pipe silent;
  constexpr int count = 4;
  std::atomic<int> back{0};
  std::vector<worker> lost;
  for (int at = 0; at < count; ++at) {
    lost.push_back(on.spawn([&] {
      silent.wait_for_byte();
      while (libumcg::current_task->claim.is_taken()) {
      }
      ++back;
    }));
  }
  others_go_on();
  const counters seen = on.counters();
  EXPECT_GE(seen.handoffs_by(handoff_cause::system_call) + seen.handoffs_by(handoff_cause::quantum),
            count - GetParam());
  silent.send_bytes(count);
  while (back < count) others_go_on();
}

struct kernel_thread {
  long id = ::syscall(SYS_gettid);
  void* alternate_stack = [] {
    stack_t now{};
    ::sigaltstack(nullptr, &now);
    return now.ss_sp;
  }();
};

// Two signals that are handled at once, the second on top of the first, of which the first finds
// the worker in the C library and the second does not: it comes back on another carrier.
TEST_P(hand_off_signals, leave_each_carrier_its_alternate_stack) {
  const testing::byte_pipe silent;
  std::atomic<bool> goes{false};
  std::atomic<bool> is_back{false};
  kernel_thread left;
  worker twice_asked = on.spawn([&] {
    {
      const testing::no_signals for_now;
      const libumcg::task_reference self = libumcg::refer_to(*libumcg::current_task);
      libumcg::preempt(self, libumcg::asking::again);
      libumcg::preempt(self, libumcg::asking::again);
      goes = true;
    }
    const kernel_thread here;
    silent.send_bytes(1);
    while (!is_back) yield();
    if (here.id != left.id) {
      EXPECT_NE(here.alternate_stack, left.alternate_stack);
    }
  });
  on.spawn([&] {
    while (!goes) yield();
    left = {};
    silent.wait_for_byte();
    is_back = true;
  });
  twice_asked.join();
}

// It takes the signal that recalls it, and is recalled again.
TEST_P(hand_off_signals, may_be_taken_by_the_worker_itself) {
  if (testing::thread_sanitizer) GTEST_SKIP() << "ThreadSanitizer blocks all signals in handlers";
  std::atomic<bool> goes{false};
  std::vector<worker> lost;
  for (unsigned at = 0; at < GetParam(); ++at) {
    lost.push_back(on.spawn([&goes] {
      const auto is_lost = [] { return libumcg::current_task->claim.is_taken(); };
      {
        const testing::no_signals for_now;
        while (!goes) {
        }
        if (!is_lost()) return;
        while (testing::take_queued_signals() == 0) {
        }
      }
      while (is_lost()) {
      }
    }));
  }
  others_go_on();
  goes = true;
  for (worker& each : lost) each.join();
}

// The signal mask is the carrier's: one worker after the other takes no signals there.
TEST_P(hand_off_signals, queue_one_by_one_where_a_worker_has_left_them_blocked) {
  const auto compute_for = [](milliseconds duration) {
    const deadline end = deadline::after(duration);
    while (!end.passed()) {
    }
  };
  sigset_t usual;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &usual);
  int queued_most = 0;
  on.spawn([&] {
      sigset_t all;
      sigfillset(&all);
      ::pthread_sigmask(SIG_SETMASK, &all, &usual);
    }).join();
  for (int round = 0; round < 20; ++round) {
    on.spawn([&] { compute_for(milliseconds(8)); }).join();
  }
  on.spawn([&] {
      queued_most = testing::take_queued_signals();
      ::pthread_sigmask(SIG_SETMASK, &usual, nullptr);
    }).join();
  EXPECT_LE(queued_most, 1);
}

INSTANTIATE_TEST_SUITE_P(servers, hand_off_signals, ::testing::Values(1U, 2U));

}  // namespace
}  // namespace umcg
