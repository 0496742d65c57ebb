// SPDX-License-Identifier: MIT
#pragma once

// What single steps of worker_world do to its state: moves of state words, made by the real class,
// the switches of carriers between contexts, and the bookkeeping of what has been promised.

#include "model/worker_state.hpp"

namespace umcg::model {

class worker_effects {
 public:
  using state = worker_state;
  using worker = worker_state::worker;
  using carrier = worker_state::carrier;
  using real = state_word::real;
  static constexpr std::uint8_t nobody = state::nobody;

  static std::uint8_t byte(int value) { return static_cast<std::uint8_t>(value); }

 protected:
  worker_effects(const worker_scenario& here, without lack) : here_(here), lack_(lack) {}

  bool lacks(without what) const { return lack_ == what; }

  static void fail(state& next, fault_kind kind) {
    if (next.wrong == no_fault) next.wrong = kind;
  }

  static bool owes(const worker& to, int what) { return (to.owed & what) != 0; }
  static void owe(worker& to, int what) { to.owed = static_cast<std::uint16_t>(to.owed | what); }
  static void settle(worker& to, int what) {
    to.owed = static_cast<std::uint16_t>(to.owed & ~what);
  }

  // A wake ends the wait that has begun, or is remembered, at most one. A wait whose deadline has
  // passed is over, but a wake that is remembered before it returns still beats the deadline.
  static void promise_wake(worker& to) {
    const bool ends_wait = owes(to, owed_committed) && !owes(to, owed_ended | owed_timed_out);
    owe(to, ends_wait ? owed_ended : owed_queued);
  }

  static void begin_wait(worker& me, bool with_deadline) {
    owe(me, owed_in_wait | (with_deadline ? owed_deadline : 0));
    ++me.waits;
  }

  static void forget_wait(worker& me) {
    settle(me, owed_in_wait | owed_committed | owed_ended | owed_timed_out | owed_deadline |
                   owed_given_back);
    me.at = ends_guard;
  }

  // `w` goes on where it stopped, on carrier `c`.
  void execute(state& next, int w, int c) const {
    worker& who = next.workers[w];
    if (who.on != nobody || who.at != saved) return fail(next, fault_run_twice);
    who.on = who.host = byte(c);
    next.carriers[c].at = runs_worker;
    who.at = ends_guard;
    if (who.why == preempted) who.at = ends_honour;
    if (who.why == waited) who.at = lacks(without::disarming_first) ? reads_result : disarms;
  }

  // `w` leaves its carrier; who is executed there next commits that.
  void vacate(state& next, int w) const {
    worker& me = next.workers[w];
    carrier& here = next.carriers[me.on];
    if (here.departed != nobody || here.publishing != nobody) return fail(next, fault_vanished);
    if (!lacks(without::commit_by_the_next) || me.word.place() == real::running) {
      here.departed = byte(w);
      here.wait = me.waits;
    }
    me.on = nobody;
    me.at = saved;
  }

  // The move of commit(); true: the worker is to be published.
  bool commit_move(state& next, int w) const {
    worker& who = next.workers[w];
    if (who.word.place() != real::running) {
      fail(next, fault_asserts);
      return false;
    }
    settle(who, owed_stop);
    const bool requested = who.word.has(real::preempt_requested);
    bool lists = true;
    without keeps = without::dropping_when_it_yields;
    switch (who.why) {
      case waited:
        lists = commit_wait(who);
        keeps = without::dropping_when_it_waits;
        break;
      case blocked:
      case in_own_thread:
        lists = commit_block(who);
        keeps = without::dropping_when_it_blocks;
        break;
      case unregistered:
        who.word.make([](real& word) { word.end(); });
        who.at = ended;
        return false;
      default:
        who.word.make([](real& word) { word.yield(); });
    }
    if (requested && lacks(keeps)) who.word.set(real::preempt_requested);
    return lists;
  }

  // wake(): what it says is whether the caller publishes; `gone` is set when the worker has ended.
  bool wake(worker& who, bool& gone) const {
    using libumcg::wake_result;
    const state_word before = who.word;
    const wake_result result = who.word.make([](real& word) { return word.wake(1, true); });
    gone = result == wake_result::stale;
    if (gone) return false;
    promise_wake(who);
    if (result != wake_result::publish) return false;
    if (lacks(without::leaving_the_wait)) who.word = before;
    if (lacks(without::a_listed_state)) who.word.put(real::held);
    if (lacks(without::a_mark_of_the_wake)) who.word.drop(real::woken);
    return true;
  }

  // The deadline of `wait` passes; true: the caller publishes.
  static bool time_out(worker& who, int wait) {
    if (owes(who, owed_in_wait) && who.waits == wait) owe(who, owed_timed_out);
    return who.word.make([](real& word) { return word.time_out(); });
  }

  // end_worker_wait(): what the wait returns, against what it should.
  void read_result(state& next, int w) const {
    worker& me = next.workers[w];
    const bool had_timed_out = me.word.has(real::timed_out);
    bool by_deadline = me.word.make([](real& word) { return word.end_wait(); });
    if (lacks(without::wake_before_deadline)) by_deadline = had_timed_out;
    const bool was_woken = owes(me, owed_ended) || owes(me, owed_queued);
    if (by_deadline && was_woken) fail(next, fault_swallowed);
    if (by_deadline && !owes(me, owed_timed_out)) fail(next, fault_early);
    if (!by_deadline && !owes(me, owed_ended)) {
      if (!owes(me, owed_timed_out) || !owes(me, owed_queued)) fail(next, fault_doubled);
      settle(me, owed_queued);
    }
    forget_wait(me);
    if (lacks(without::disarming_first)) me.at = disarms;
  }

  bool claim_waiting(worker& who) const {
    const bool claimed = who.word.make([](real& word) { return word.run_waiting(); });
    if (claimed) owe(who, owed_ended);
    return claimed;
  }

  static bool claim_held(worker& who) {
    return who.word.make([](real& word) { return word.run_held(); });
  }

  // For swap(): a target that is held because its deadline has passed has been woken as well.
  bool claim_held_for_swap(worker& who) const {
    const bool is_wake = !lacks(without::swap_that_is_a_wake);
    if (who.word.place() != real::held) return false;
    who.word.make([is_wake](real& word) { return word.run_found(1, is_wake); });
    if (owes(who, owed_committed) && owes(who, owed_timed_out)) owe(who, owed_ended);
    return true;
  }

  worker_scenario here_;
  without lack_;

 private:
  bool commit_wait(worker& who) const {
    owe(who, owed_committed);
    if (owes(who, owed_queued)) {
      settle(who, owed_queued);
      owe(who, owed_ended);
    }
    std::uint64_t unseen = 0;
    if (lacks(without::commit_that_sees_wakes)) unseen = real::wake_queued;
    if (lacks(without::commit_that_sees_deadlines)) unseen = real::timed_out;
    return make_blind(who, unseen, [](real& word) { return word.wait_or_list(); });
  }

  bool commit_block(worker& who) const {
    const bool looks = !lacks(without::looking_for_early_return);
    return make_blind(who, looks ? 0 : real::unblocked,
                      [](real& word) { return word.block_or_list(); });
  }

  // A move that does not see the flag `unseen`.
  template <class Move>
  static bool make_blind(worker& who, std::uint64_t unseen, const Move& move) {
    const std::uint64_t hidden = who.word.bits & unseen;
    who.word.drop(hidden);
    const bool result = who.word.make(move);
    who.word.set(hidden);
    return result;
  }
};

}  // namespace umcg::model
