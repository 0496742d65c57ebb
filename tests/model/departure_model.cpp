// SPDX-License-Identifier: MIT

// How workers block and come back: every interleaving of depart(), commit(), leave_server() and
// return_to_servers(), of completions and of workers that are continued directly by the one that
// departs, without their server's context; with a waker, since a wake may come in any state.
//
// Sizes are workers x carriers.

#include <gtest/gtest.h>

#include "model/verdict_table.hpp"
#include "model/worker_world.hpp"
#include "sanitizer.hpp"

namespace umcg::model {
namespace {

const std::vector<size> small_sizes{{1, 1}, {2, 1}, {2, 2}, {3, 1}};
const std::vector<size> large_sizes{{1, 1}, {2, 1}, {2, 2}, {3, 1}, {3, 2}};

const std::vector<size>& sizes() { return umcg::testing::instrumented ? small_sizes : large_sizes; }

worker_scenario blocks(int workers, int carriers) {
  worker_scenario here;
  here.workers = workers;
  here.carriers = carriers;
  here.operations = workers > 2 ? 1 : 2;
  here.may = may_block | may_leave_server | may_wait | may_wake | may_unregister;
  here.wakes = 1;
  here.successors = true;
  return here;
}

// Servers run any worker at any time.
worker_scenario blocks_and_runs(int workers, int carriers) {
  worker_scenario here = blocks(workers, carriers);
  here.may = may_block | may_leave_server | may_wait;
  here.runs_directly = true;
  return here;
}

auto explored(worker_scenario (*prepare)(int, int), without lack = without::nothing) {
  return [=](int workers, int carriers, const char* until = "") {
    return explore(worker_world(prepare(workers, carriers), lack), until);
  };
}

void expect_variant(const char* protocol, without lack, const char* fault, const size& where) {
  expect_fault(protocol, where, fault, explored(blocks, lack));
}

TEST(departure_model, runs_each_worker_once_and_forgets_none) {
  expect_ok("ours", sizes(), explored(blocks));
  expect_ok("ours, workers are run", small_sizes, explored(blocks_and_runs));
}

// What goes wrong when a part is left out.

TEST(departure_model, needs_a_commit_by_whoever_runs_next) {
  expect_variant("commits, then departs", without::commit_by_the_next, "run twice", {2, 2});
}

// The argument of block(): the operation is reaped where the departure was committed before.
TEST(departure_model, needs_completions_that_its_own_server_reaps) {
  expect_variant("any server reaps", without::own_reactor_only, "asserts", {2, 2});
}

// half::come_back(): a worker is saved before it can be run.
TEST(departure_model, needs_a_worker_that_is_saved_before_it_returns) {
  expect_variant("returns, then is saved", without::saving_before_returning, "run twice", {1, 1});
}

TEST(departure_model, needs_a_return_that_is_remembered) {
  expect_variant("forgets an early return", without::remembering_early_return, "lost", {1, 1});
}

TEST(departure_model, needs_a_commit_that_looks_for_a_return) {
  expect_variant("no look for a return", without::looking_for_early_return, "lost", {1, 1});
}

}  // namespace
}  // namespace umcg::model
