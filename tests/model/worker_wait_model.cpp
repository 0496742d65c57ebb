// SPDX-License-Identifier: MIT

// Workers in umcg_wait against wakers, deadlines and servers that run them: every interleaving of
// wait(), commit(), wake(), pass_deadlines() and run() in libumcg, on the real state word, and of
// variants that lack one part. Each worker waits twice, with a deadline or without; a deadline may
// pass at any time; there are two wakes by one thread, or one by each of two; servers take workers
// from the list and, where the size allows it, also run them directly while they wait.
//
// Sizes are workers x carriers.

#include <gtest/gtest.h>

#include "model/verdict_table.hpp"
#include "model/worker_world.hpp"
#include "sanitizer.hpp"

namespace umcg::model {
namespace {

const std::vector<size> small_sizes{{1, 1}, {1, 2}, {2, 1}};
const std::vector<size> large_sizes{{1, 1}, {1, 2}, {2, 1}, {2, 2}};

const std::vector<size>& sizes() { return umcg::testing::instrumented ? small_sizes : large_sizes; }

worker_scenario waits(int workers, int carriers) {
  worker_scenario here;
  here.workers = workers;
  here.carriers = carriers;
  here.operations = 2;
  here.may = may_wait | may_wait_until;
  here.wakes = 2;
  return here;
}

worker_scenario runs_of_waiting_workers(int workers, int carriers) {
  worker_scenario here = waits(workers, carriers);
  here.runs_directly = true;
  here.second_waker = true;
  here.wakes = 1;
  return here;
}

void expect_variant(const char* protocol, without lack, const char* fault, const size& where) {
  expect_fault(protocol, where, fault, [=](int workers, int carriers, const char* until) {
    return explore(worker_world(runs_of_waiting_workers(workers, carriers), lack), until);
  });
}

TEST(worker_wait_model, loses_and_doubles_no_wake_and_no_deadline) {
  expect_ok("ours", sizes(), [](int workers, int carriers) {
    return explore(worker_world(waits(workers, carriers)));
  });
  expect_ok("ours, two wakers, waiting workers are run", sizes(), [](int workers, int carriers) {
    return explore(worker_world(runs_of_waiting_workers(workers, carriers)));
  });
}

// What goes wrong when a part is left out. First of all the rule of departing.cpp: a departure is
// committed by whoever runs next.
TEST(worker_wait_model, needs_a_commit_by_whoever_runs_next) {
  expect_variant("commits, then departs", without::commit_by_the_next, "run twice", {1, 2});
}

TEST(worker_wait_model, needs_a_wait_that_takes_a_queued_wake) {
  expect_variant("departs with a queued wake", without::taking_a_queued_wake, "slept", {1, 1});
}

TEST(worker_wait_model, needs_a_commit_that_looks_for_a_wake) {
  expect_variant("no look for a wake", without::commit_that_sees_wakes, "lost", {1, 1});
}

TEST(worker_wait_model, needs_a_commit_that_looks_for_the_deadline) {
  expect_variant("no look for the deadline", without::commit_that_sees_deadlines, "lost", {1, 2});
}

// K7, B18.
TEST(worker_wait_model, needs_wakes_that_beat_deadlines) {
  expect_variant("a deadline beats a wake", without::wake_before_deadline, "swallowed", {1, 1});
}

TEST(worker_wait_model, needs_a_mark_of_the_wake_that_ended_the_wait) {
  expect_variant("no mark of the wake", without::a_mark_of_the_wake, "swallowed", {1, 2});
}

TEST(worker_wait_model, needs_a_deadline_that_is_armed_before_the_move) {
  expect_variant("arms after the move", without::arming_before_the_move, "early", {1, 2});
}

TEST(worker_wait_model, needs_a_deadline_that_moves_the_worker_under_the_lock) {
  expect_variant("moves the worker after the lock", without::deadline_under_lock, "early", {1, 2});
}

TEST(worker_wait_model, needs_a_wait_that_disarms_before_it_reads_its_result) {
  expect_variant("reads, then disarms", without::disarming_first, "early", {1, 2});
}

TEST(worker_wait_model, needs_a_wait_that_disarms) {
  expect_variant("never disarms", without::disarming, "early", {1, 2});
}

// B19.
TEST(worker_wait_model, needs_a_wake_that_takes_the_worker_out_of_its_wait) {
  expect_variant("a listed worker waits", without::leaving_the_wait, "astray", {1, 1});
}

// B28.
TEST(worker_wait_model, needs_a_state_for_what_is_to_be_pushed) {
  expect_variant("can be run before it is pushed", without::a_listed_state, "astray", {1, 1});
}

}  // namespace
}  // namespace umcg::model
