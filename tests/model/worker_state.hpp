// SPDX-License-Identifier: MIT
#pragma once

// One state of worker_world: the state words of a few workers, where each one's program is, who
// executes on each carrier, and what the header of the library promises to each worker, to be
// compared with what it gets.

#include <compare>
#include <cstdint>

#include "model/explorer.hpp"
#include "model/state_word.hpp"

namespace umcg::model {

// What a variant does without. `nothing`: libumcg as it should be. The tests say which variants it
// still is.
enum class without : std::uint8_t {
  nothing,
  // departing and committing
  commit_by_the_next,        // a worker makes the move that lets others run it, then departs
  own_reactor_only,          // any server reaps a block's completion
  remembering_early_return,  // come_back before the commit leaves no trace
  saving_before_returning,   // a worker can be run while its own thread still executes it
  looking_for_early_return,  // the commit does not look for it
  successor_that_may_fail,   // whoever took a worker asserts that it is still held
  // waits, wakes and deadlines
  taking_a_queued_wake,  // a wait departs although a wake is queued
  commit_that_sees_wakes,
  commit_that_sees_deadlines,
  arming_before_the_move,  // the deadline is armed when others can run the worker
  deadline_under_lock,     // a due worker is moved after the lock is given back
  disarming_first,         // a wait that ends reads its result, then disarms
  disarming,
  a_mark_of_the_wake,    // a wake that ends a wait sets no `woken`
  wake_before_deadline,  // a deadline counts whatever else came
  leaving_the_wait,      // a woken worker is pushed, and its word still says that it waits
  a_listed_state,        // a woken worker can be run before it is in the list
  // swap
  winning_the_target,  // runs it whatever its word says
  claim_before_link,   // the link to the server is written first
  passing_the_server,
  looking_for_own_wake,  // a swap with a queued wake departs
  failing_whole,         // a swap consumes the own wake, and then fails
  swap_that_is_a_wake,   // a target whose deadline had passed does not learn of the swap
  // preemption
  looking_when_it_ends,     // the end of a guard does not look for a request
  ending_then_looking,      // it looks, and then turns preemption on
  a_depth,                  // a signal stops a worker in the library, too
  dropping_when_it_yields,  // a request outlives a yield
  dropping_when_it_waits,   // or a wait, or a block
  dropping_when_it_blocks,
  looking_for_a_request,  // any signal stops whom it reaches
  taking_the_request,     // whether or not it is still there
  signals_that_arrive,    // the system may refuse to send one
};

// What workers may do, as bits of worker_scenario::may.
constexpr std::uint16_t may_wait = 1;
constexpr std::uint16_t may_wait_until = 2;
constexpr std::uint16_t may_swap = 4;
constexpr std::uint16_t may_wake = 8;
constexpr std::uint16_t may_block = 16;
constexpr std::uint16_t may_leave_server = 32;
constexpr std::uint16_t may_unregister = 64;
constexpr std::uint16_t may_swap_until = 128;

// The rest of the world.
struct worker_scenario {
  int workers = 1;
  int carriers = 1;    // each is a server's
  int operations = 2;  // of each worker
  std::uint16_t may = may_wait;
  int wakes = 0;        // by a thread outside, to any worker
  int preemptions = 0;  // likewise
  bool second_waker = false;
  bool runs_directly = false;  // servers call umcg_run_worker() with any worker, at any time
  bool successors = false;     // a worker that departs may continue the next one itself
  int waiting = 0;             // so many workers, the last ones, wait to begin with
};

enum worker_stage : std::uint8_t {
  in_user_code,
  takes_wake,   // wait(): looks for a queued wake
  departs,      // depart(): chooses who goes on
  moves_early,  // only in a variant
  holds_next,   // successor(): makes the one that it took out of the list held
  runs_next,    // and running
  saved,        // departed; from here on whoever has its state word owns it
  disarms,      // end_worker_wait()
  reads_result,
  ends_guard,         // preempt_guard::leave()
  ends_unseen,        // only in a variant
  looks_for_request,  // honour_preempt_request()
  turns_off,
  takes_request,
  ends_honour,  // back from the departure, or the request was gone
  swap_looks,   // swap(): has it a queued wake?
  swap_wakes,   // then it stays: wakes the target
  swap_takes_own_wake,
  swap_claims_waiting,
  swap_claims_held,
  swap_looks_at_target,
  swap_wakes_target,
  swap_switches,
  wakes,      // umcg_wake()
  leaves,     // leave_server()
  in_region,  // on its own kernel thread, without a server
  returns,    // return_to_servers()
  publishes_itself,
  saves_late,  // only in a variant
  ended,
};

enum carrier_stage : std::uint8_t {
  seeks,
  holds,  // has taken its target out of the list
  claims_held,
  claims_waiting,
  switches,
  runs_worker,
  times_out_late,  // only in a variant
};

enum outsider_stage : std::uint8_t { out_ready, out_publishes, out_reads_host, out_signals };

enum reason : std::uint8_t { waited, blocked, in_own_thread, preempted, listed_anew, unregistered };

// What a worker has been promised, as bits of worker::owed.
constexpr std::uint16_t owed_in_wait = 1;       // is between the call of a wait and its end
constexpr std::uint16_t owed_committed = 2;     // and the wait has begun
constexpr std::uint16_t owed_ended = 4;         // a wake has ended it
constexpr std::uint16_t owed_queued = 8;        // a wake waits for the next wait
constexpr std::uint16_t owed_timed_out = 16;    // the wait's own deadline has passed
constexpr std::uint16_t owed_deadline = 32;     // the wait has a deadline
constexpr std::uint16_t owed_stop = 64;         // it was asked to stop, and has not stopped since
constexpr std::uint16_t owed_given_back = 128;  // a swap has taken its queued wake, for now
constexpr std::uint16_t owed_completion = 256;  // it blocks in an operation that is not reaped yet

enum fault_kind : std::uint8_t {
  no_fault,
  fault_asserts,    // an assertion of the code fails
  fault_run_twice,  // a worker is run that executes somewhere already
  fault_astray,     // in the list without being listed, or twice
  fault_adrift,     // runs user code with the server of another carrier
  fault_vanished,   // a departure is forgotten by who should commit it
  fault_doubled,    // a wait ends with 0 and no wake came
  fault_swallowed,  // a wait ends at its deadline although a wake came
  fault_early,      // a wait ends at a deadline that is not its own
  fault_slept,      // a wait with a queued wake departs
  fault_changed,    // a swap fails, and something has happened
  fault_unasked,    // a worker is stopped that nobody asked to stop
};

struct worker_state {
  static constexpr int workers_most = 3;
  static constexpr int carriers_most = 2;
  static constexpr int outsiders_most = 3;
  static constexpr std::uint8_t nobody = 0xff;
  static constexpr std::uint8_t own_thread = 0xfe;

  struct worker {
    state_word word;
    std::uint16_t owed;
    std::uint8_t at;
    std::uint8_t on;      // the carrier that executes it
    std::uint8_t host;    // the carrier that last did: where a signal to it goes
    std::uint8_t server;  // task::server
    std::uint8_t why;     // task::why
    std::uint8_t target;
    std::uint8_t back;    // where it goes on after a preemption
    std::uint8_t inner;   // and after one inside that
    std::uint8_t left;    // operations
    std::uint8_t waits;   // how many waits it has begun
    std::uint8_t timer;   // the wait whose deadline is armed; 0: none
    std::uint8_t listed;  // how often it is in the idle workers list
    std::uint8_t depth;   // task::preempt_off
    std::uint8_t unused;
    auto operator<=>(const worker&) const = default;
  };
  // A carrier, its server's program, and what whoever executes there has to finish first.
  struct carrier {
    std::uint8_t at;
    std::uint8_t target;
    std::uint8_t departed;    // whose departure is to be committed
    std::uint8_t wait;        // the wait of that worker
    std::uint8_t armed;       // and its deadline is armed
    std::uint8_t publishing;  // who is to be pushed
    std::uint8_t signals;     // pending
    std::uint8_t arming;      // only in a variant: whose deadline is still to be armed
    auto operator<=>(const carrier&) const = default;
  };
  struct outsider {
    std::uint8_t at;
    std::uint8_t target;
    std::uint8_t left;
    std::uint8_t host;
    auto operator<=>(const outsider&) const = default;
  };

  worker workers[workers_most];
  carrier carriers[carriers_most];
  outsider outsiders[outsiders_most];
  std::uint32_t wrong;
  auto operator<=>(const worker_state&) const = default;
};

}  // namespace umcg::model
