// SPDX-License-Identifier: MIT

// Every interleaving of the idle protocol in groups of up to three servers and three workers, and
// of the variants that lack one of its parts: each part is shown to be needed. A line of output is
// a protocol, with the verdict and the number of states for each size (servers x workers).

#include <gtest/gtest.h>

#include "model/idle_protocol.hpp"
#include "model/verdict_table.hpp"
#include "sanitizer.hpp"

namespace umcg::model {
namespace {

// What libumcg does.
constexpr protocol ours{};

const std::vector<size> small_sizes{{1, 1}, {2, 1}, {2, 2}, {3, 2}, {2, 3}};
const std::vector<size> smallest_sizes{{1, 1}, {2, 1}, {2, 2}};

// Without the largest where that would take minutes.
// Instrumented code is slow: the largest state spaces are left to the other builds.
const std::vector<size>& sizes() { return umcg::testing::instrumented ? small_sizes : all_sizes; }

// Explores `rules` in the scenario that `prepare` has completed.
template <class Prepare>
auto in_scenario(const protocol& rules, Prepare prepare) {
  return [=](int servers, int workers, const char* until = "") {
    scenario here{servers, workers};
    prepare(here);
    return explore(idle_protocol(rules, here), until);
  };
}

void plainly(scenario&) {}

void with_batches(scenario& here) { here.batches = true; }

void with_everything(scenario& here) {
  here.batches = true;
  here.sleeps_end = true;
  here.far_pushes = here.servers * here.workers < 9;
}

void with_everything_twice(scenario& here) {
  with_everything(here);
  here.blocks = 1;
}

// Workers stop and are continued by each other, and a server unregisters.
void with_successors(scenario& here) {
  here.blocks = 1;
  here.yields = true;
  here.successors = true;
  here.far_pushes = false;
}

void with_leavers(scenario& here) {
  here.batches = true;
  here.sleeps_end = true;
  here.far_pushes = false;
  here.leavers = 1;
}

TEST(idle_protocol_model, leaves_no_worker_waiting) {
  expect_ok("ours", small_sizes, in_scenario(ours, plainly));
}

TEST(idle_protocol_model, leaves_no_worker_waiting_when_batches_arrive_and_sleeps_end) {
  expect_ok("ours, batches, sleeps end", sizes(), in_scenario(ours, with_everything));
}

TEST(idle_protocol_model, leaves_no_worker_waiting_that_blocks_and_comes_back) {
  expect_ok("ours, batches, sleeps end, workers block again", smallest_sizes,
            in_scenario(ours, with_everything_twice));
}

TEST(idle_protocol_model, leaves_no_worker_waiting_that_yields_or_follows_another_directly) {
  expect_ok("ours, workers yield, block and follow each other", smallest_sizes,
            in_scenario(ours, with_successors));
}

TEST(idle_protocol_model, leaves_no_worker_waiting_when_a_server_unregisters) {
  expect_ok("ours, a server unregisters", small_sizes, in_scenario(ours, with_leavers));
}

// As right as ours, and not chosen.

TEST(idle_protocol_model, may_chain_before_taking_a_worker) {
  protocol rules = ours;
  rules.chains = chaining::before_taking;
  expect_ok("chains before taking", sizes(), in_scenario(rules, with_everything));
  expect_ok("chains before taking, workers block again", smallest_sizes,
            in_scenario(rules, with_everything_twice));
}

TEST(idle_protocol_model, may_wait_for_the_wake_of_a_summons) {
  protocol rules = ours;
  rules.awaits_its_wake = true;
  rules.chains = chaining::after_taking;
  expect_ok("waits for its wake", sizes(), in_scenario(rules, with_everything));
  expect_ok("waits for its wake, workers block again", smallest_sizes,
            in_scenario(rules, with_everything_twice));
}

TEST(idle_protocol_model, may_take_one_worker_at_a_time) {
  protocol rules = ours;
  rules.steals = stealing::one;
  rules.fetches = fetching::one_after_own;
  expect_ok("takes one at a time", sizes(), in_scenario(rules, with_everything));
}

// What goes wrong when a part is left out.

TEST(idle_protocol_model, needs_the_second_look) {
  protocol rules = ours;
  rules.looks_again = false;
  expect_fault("no second look", {1, 1}, "stranded", in_scenario(rules, plainly));
}

TEST(idle_protocol_model, needs_the_chain) {
  protocol rules = ours;
  rules.chains = chaining::never;
  expect_fault("no chain", {2, 2}, "stranded", in_scenario(rules, with_batches));
}

// The one worker that a summoned server sees may be left behind: its reactor may bring it another
// before it takes one.
TEST(idle_protocol_model, needs_the_chain_also_for_a_single_worker) {
  protocol rules = ours;
  rules.chains = chaining::if_several;
  expect_fault("chains for two workers only", {2, 2}, "stranded", in_scenario(rules, with_batches));
}

TEST(idle_protocol_model, needs_a_server_that_leaves_to_see_that_it_was_summoned) {
  protocol rules = ours;
  rules.sees_whether_summoned = false;
  expect_fault("leaves without seeing the summons", {2, 2}, "stranded",
               in_scenario(rules, with_batches));
}

TEST(idle_protocol_model, needs_a_server_that_waits_for_its_wake_to_look_for_it) {
  protocol rules = ours;
  rules.awaits_its_wake = true;
  rules.sees_whether_summoned = false;
  expect_fault("late wake", {1, 1}, "late", in_scenario(rules, plainly));
}

TEST(idle_protocol_model, needs_a_summons_for_what_a_thief_brings_home) {
  protocol rules = ours;
  rules.steals = stealing::half_silently;
  expect_fault("steals half silently", {3, 3}, "stranded", in_scenario(rules, with_batches));
}

TEST(idle_protocol_model, needs_a_summons_for_what_is_fetched_from_the_shared_queue) {
  protocol rules = ours;
  rules.fetches = fetching::half_first_silently;
  expect_fault("fetches half silently", {3, 3}, "stranded", in_scenario(rules, plainly));
}

TEST(idle_protocol_model, needs_a_server_that_unregisters_to_leave_its_queue_to_others) {
  protocol rules = ours;
  rules.leaves_queue_to_others = false;
  expect_fault("keeps its queue", {2, 1}, "stranded", in_scenario(rules, with_leavers));
}

TEST(idle_protocol_model, needs_a_summons_for_what_a_server_leaves_to_others) {
  protocol rules = ours;
  rules.summons_for_what_it_leaves = false;
  expect_fault("leaves its queue silently", {2, 1}, "stranded", in_scenario(rules, with_leavers));
}

// park() is followed by take_idle_worker(), whatever ended the sleep.
TEST(idle_protocol_model, needs_a_server_that_was_summoned_to_look_before_it_unregisters) {
  protocol rules = ours;
  rules.looks_before_leaving = false;
  expect_fault("unregisters without a look", {2, 1}, "stranded", in_scenario(rules, with_leavers));
}

// R12.
TEST(idle_protocol_model, needs_a_server_that_unregisters_to_await_its_summonses) {
  protocol rules = ours;
  rules.awaits_deliveries = false;
  expect_fault("awaits no delivery", {2, 1}, "gone", in_scenario(rules, with_leavers));
}

TEST(idle_protocol_model, needs_a_barrier_between_announcing_and_looking) {
  protocol rules = ours;
  rules.announces_before_looking = false;
  expect_fault("no barrier in the server", {1, 1}, "stranded", in_scenario(rules, plainly));
}

TEST(idle_protocol_model, needs_a_barrier_between_pushing_and_counting) {
  protocol rules = ours;
  rules.pushes_before_counting = false;
  expect_fault("no barrier in the pusher", {1, 1}, "stranded", in_scenario(rules, plainly));
}

TEST(idle_protocol_model, needs_wakes_that_are_remembered) {
  protocol rules = ours;
  rules.remembers_wakes = false;
  rules.awaits_its_wake = true;
  expect_fault("forgets early wakes", {1, 1}, "lost", in_scenario(rules, plainly));
}

TEST(idle_protocol_model, needs_the_lock_of_a_queue) {
  protocol rules = ours;
  rules.takes_under_lock = false;
  expect_fault("no lock", {2, 1}, "doubled", in_scenario(rules, plainly));
}

TEST(idle_protocol_model, needs_servers_that_end_a_vain_wake) {
  protocol rules = ours;
  rules.chains = chaining::after_taking;
  rules.passes_on_vain_wakes = true;
  expect_fault("passes on vain wakes", {3, 1}, "endless", in_scenario(rules, plainly));
}

}  // namespace
}  // namespace umcg::model
