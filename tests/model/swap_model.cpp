// SPDX-License-Identifier: MIT

// Swaps: every interleaving of swap() with another swap, a wait, a wake, a deadline, a server that
// runs the target, and the end of the target; on the real state word, with workers on one or two
// servers.
//
// Sizes are workers x carriers.

#include <gtest/gtest.h>

#include "model/verdict_table.hpp"
#include "model/worker_world.hpp"
#include "sanitizer.hpp"

namespace umcg::model {
namespace {

const std::vector<size> small_sizes{{2, 1}, {2, 2}, {3, 1}};
const std::vector<size> large_sizes{{2, 1}, {2, 2}, {3, 1}, {3, 2}};

const std::vector<size>& sizes() { return umcg::testing::instrumented ? small_sizes : large_sizes; }

// Workers that swap into each other or wait, and a waker. Where there are more workers than
// carriers, the others are in the list to begin with.
worker_scenario swaps(int workers, int carriers) {
  worker_scenario here;
  here.workers = workers;
  here.carriers = carriers;
  here.operations = workers * carriers > 4 ? 1 : 2;
  here.may = may_swap | may_wait;
  here.wakes = 1;
  return here;
}

// The target may end.
worker_scenario swaps_with_ends(int workers, int carriers) {
  worker_scenario here = swaps(workers, carriers);
  here.may = may_swap | may_wait | may_unregister;
  return here;
}

// Servers run whom they are told to, waiting or held.
worker_scenario swaps_with_runs(int workers, int carriers) {
  worker_scenario here = swaps(workers, carriers);
  here.runs_directly = true;
  return here;
}

// And waits have deadlines.
worker_scenario swaps_with_deadlines(int workers, int carriers) {
  worker_scenario here = swaps(workers, carriers);
  here.may = may_swap_until | may_wait_until;
  return here;
}

// A worker that departs continues the next one of the list itself.
worker_scenario swaps_with_successors(int workers, int carriers) {
  worker_scenario here = swaps(workers, carriers);
  here.successors = true;
  return here;
}

auto explored(worker_scenario (*prepare)(int, int), without lack = without::nothing) {
  return [=](int workers, int carriers, const char* until = "") {
    return explore(worker_world(prepare(workers, carriers), lack), until);
  };
}

void expect_variant(const char* protocol, without lack, const char* fault, const size& where,
                    worker_scenario (*prepare)(int, int) = swaps) {
  expect_fault(protocol, where, fault, explored(prepare, lack));
}

TEST(swap_model, runs_each_worker_once_and_loses_no_server) {
  expect_ok("ours", sizes(), explored(swaps));
}

TEST(swap_model, holds_against_targets_that_end) {
  expect_ok("ours, targets end", sizes(), explored(swaps_with_ends));
}

TEST(swap_model, holds_against_servers_that_run_the_target) {
  expect_ok("ours, targets are run", sizes(), explored(swaps_with_runs));
}

TEST(swap_model, holds_against_deadlines) {
  expect_ok("ours, deadlines", sizes(), explored(swaps_with_deadlines));
}

TEST(swap_model, holds_against_workers_that_are_continued_directly) {
  expect_ok("ours, direct successors", sizes(), explored(swaps_with_successors));
}

// What goes wrong when a part is left out.

// B1, B2, B49.
TEST(swap_model, needs_a_target_that_was_won) {
  expect_variant("runs its target in any case", without::winning_the_target, "run twice", {2, 2});
}

// B9.
TEST(swap_model, needs_a_link_that_is_written_after_the_target_was_won) {
  expect_variant("links first", without::claim_before_link, "adrift", {2, 2});
}

// B4.
TEST(swap_model, needs_a_server_that_passes_to_the_target) {
  expect_variant("keeps its server", without::passing_the_server, "adrift", {2, 2});
}

// B3.
TEST(swap_model, needs_a_look_for_a_wake_of_its_own) {
  expect_variant("no look for its own wake", without::looking_for_own_wake, "slept", {2, 1});
}

// B11, B6: what was to be done about a wake that came on the way into the wait.
TEST(swap_model, needs_a_commit_that_looks_for_a_wake) {
  expect_variant("no look for a wake", without::commit_that_sees_wakes, "lost", {2, 1});
}

// B13, B14: on an error nothing has happened. A swap that takes its own wake before it knows that
// the target is still there has lost that wake.
TEST(swap_model, needs_its_own_wake_until_the_target_is_woken) {
  expect_variant("takes its own wake first", without::failing_whole, "changed", {2, 2},
                 swaps_with_ends);
}

// B18: a target whose deadline has passed, and which a server has taken from the list, is woken by
// the swap as it would be by umcg_wake().
TEST(swap_model, needs_a_swap_that_is_a_wake) {
  expect_variant("a deadline beats a swap", without::swap_that_is_a_wake, "swallowed", {2, 2},
                 swaps_with_deadlines);
}

// A worker that was taken from the list is not yet one's own: a swap may run it first. The loop of
// sched's servers and successor() let it go then.
TEST(swap_model, needs_servers_that_lose_what_they_hold) {
  expect_variant("asserts that it is still held", without::successor_that_may_fail, "asserts",
                 {2, 2}, swaps_with_successors);
}

}  // namespace
}  // namespace umcg::model
