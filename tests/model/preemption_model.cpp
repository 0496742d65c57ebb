// SPDX-License-Identifier: MIT

// Preemption against everything: a request and its signal, which may be late and may reach a
// carrier that executes somebody else by then, against waits, blocks, swaps, wakes, the end of the
// worker, and code of the library that must not be left (B10, B16, B17, B39, B43, B44). Every
// interleaving of preempt(), honour_preempt_request(), preempt_guard and the rest of worker_world,
// on the real state word.
//
// Sizes are workers x carriers.

#include <gtest/gtest.h>

#include "model/verdict_table.hpp"
#include "model/worker_world.hpp"
#include "sanitizer.hpp"

namespace umcg::model {
namespace {

const std::vector<size> small_sizes{{1, 1}, {2, 1}};
const std::vector<size> large_sizes{{1, 1}, {1, 2}, {2, 1}, {2, 2}};

const std::vector<size>& sizes() { return umcg::testing::instrumented ? small_sizes : large_sizes; }

worker_scenario requests(int workers, int carriers, int may) {
  worker_scenario here;
  here.workers = workers;
  here.carriers = carriers;
  here.operations = workers > 1 ? 1 : 3 - carriers / 2;
  here.may = static_cast<std::uint16_t>(may);
  here.wakes = 1;
  here.preemptions = 2;
  return here;
}

auto explored(int may, without lack = without::nothing) {
  return [=](int workers, int carriers, const char* until = "") {
    return explore(worker_world(requests(workers, carriers, may), lack), until);
  };
}

constexpr int waits = may_wait_until | may_wake | may_unregister;
constexpr int blocks = may_block | may_leave_server | may_wake;
constexpr int swaps = may_swap | may_wait;

void expect_variant(const char* protocol, without lack, const char* fault, const size& where,
                    int may = waits) {
  expect_fault(protocol, where, fault, explored(may, lack));
}

TEST(preemption_model, hears_every_request_and_stops_nobody_else) {
  expect_ok("ours, waits and ends", sizes(), explored(waits));
  expect_ok("ours, blocks", sizes(), explored(blocks));
  expect_ok("ours, swaps", sizes(), explored(swaps));
}

// What goes wrong when a part is left out.

TEST(preemption_model, needs_a_guard_that_looks_when_it_ends) {
  expect_variant("no look at the end of a guard", without::looking_when_it_ends, "unheard", {1, 1});
}

TEST(preemption_model, needs_a_guard_that_looks_after_it_has_turned_preemption_on) {
  expect_variant("looks, then turns it on", without::ending_then_looking, "unheard", {1, 1});
}

// B39.
TEST(preemption_model, needs_a_depth) {
  expect_variant("stops a worker in the library", without::a_depth, "vanished", {2, 1});
}

// B16: who yields for whatever reason has done what was asked.
TEST(preemption_model, needs_yields_that_drop_the_request) {
  expect_variant("keeps a request over a yield", without::dropping_when_it_yields, "unasked",
                 {1, 1});
}

TEST(preemption_model, needs_waits_that_drop_the_request) {
  expect_variant("keeps a request over a wait", without::dropping_when_it_waits, "unasked", {1, 1});
}

TEST(preemption_model, needs_blocks_that_drop_the_request) {
  expect_variant("keeps a request over a block", without::dropping_when_it_blocks, "unasked",
                 {1, 1}, blocks);
}

// B43: a signal that comes late reaches somebody else.
TEST(preemption_model, needs_a_signal_that_is_not_a_request) {
  expect_variant("a signal is a request", without::looking_for_a_request, "unasked", {2, 1});
}

TEST(preemption_model, needs_a_request_that_is_taken) {
  expect_variant("a request seen is a request", without::taking_the_request, "unasked", {1, 1});
}

// preempt() sends one signal for each request. If the system refuses it (EAGAIN, too many signals
// are pending), the request stays, and later ones find it and send none either. libumcg relies on
// it that none is refused.
TEST(preemption_model, needs_signals_that_arrive) {
  expect_variant("a signal is refused", without::signals_that_arrive, "unheard", {1, 1});
}

}  // namespace
}  // namespace umcg::model
