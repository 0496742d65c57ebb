// SPDX-License-Identifier: MIT
#pragma once

// The program of a worker in worker_world: what it may call, and the code of libumcg that it then
// executes, a step for each access to shared memory. Stages name the function that they belong to.

#include "model/worker_effects.hpp"

namespace umcg::model {

class worker_program : public worker_effects {
 protected:
  using worker_effects::worker_effects;

  template <class Can>
  void worker_steps(const state& now, int w, const Can& can) const {
    const worker& self = now.workers[w];
    if (!goes_on(now, self)) return;
    const auto goes = [&](const char* action, auto change) {
      can({"worker", w, action}, [&](state& next) { change(next, next.workers[w]); });
    };
    if (self.at == in_user_code) return call(now, w, can);
    if (self.at >= swap_looks && self.at <= swap_switches) return swap_steps(w, self.at, goes);
    if (self.at >= ends_guard && self.at <= ends_honour) return preemption_steps(self.at, goes);
    if (self.at >= wakes) return region_steps(w, self.at, can, goes);
    switch (self.at) {
      case takes_wake:
        return goes("looks for a queued wake", [&](state& next, auto& me) { look(next, me); });
      case disarms:
        return goes("disarms its deadline", [&](state&, auto& me) {
          if (!lacks(without::disarming)) me.timer = 0;
          me.at = lacks(without::disarming_first) ? ends_guard : reads_result;
        });
      case reads_result:
        return goes("ends its wait", [&](state& next, auto&) { this->read_result(next, w); });
      default:
        return departure_steps(now, w, can, goes);
    }
  }

  static bool busy(const carrier& one) {
    return one.departed != nobody || one.publishing != nobody || one.arming != nobody;
  }

 private:
  // It is executed, and has nothing to finish for others first.
  static bool goes_on(const state& now, const worker& self) {
    if (self.at == saved || self.at == ended || self.on == nobody) return false;
    return self.on == state::own_thread || !busy(now.carriers[self.on]);
  }

  // Calls the library, with preemption off (preempt_guard).
  template <class Can>
  void call(const state& now, int w, const Can& can) const {
    if (now.workers[w].left == 0) return;
    const auto calls = [&](int may, const char* action, int target, auto change) {
      if ((here_.may & may) == 0) return;
      can({"worker", w, action, target, false}, [&](state& next) {
        worker& me = next.workers[w];
        --me.left;
        ++me.depth;
        me.target = byte(target);
        change(me);
      });
    };
    calls(may_wait, "calls wait", -1, [](auto& me) { start_wait(me, takes_wake, false); });
    calls(may_wait_until, "calls wait with a deadline", -1,
          [](auto& me) { start_wait(me, takes_wake, true); });
    calls(may_block, "blocks in an operation", -1, [](auto& me) {
      owe(me, owed_completion);
      me.why = blocked;
      me.at = departs;
    });
    calls(may_leave_server, "leaves its server", -1, [](auto& me) { me.at = leaves; });
    calls(may_unregister, "unregisters", -1, [](auto& me) {
      me.why = unregistered;
      me.at = departs;
    });
    for (int other = 0; other < here_.workers; ++other) {
      if (other == w || now.workers[other].at == ended) continue;
      calls(may_wake, "wakes worker", other, [](auto& me) { me.at = wakes; });
      calls(may_swap, "swaps to worker", other,
            [](auto& me) { start_wait(me, swap_looks, false); });
      calls(may_swap_until, "swaps, with a deadline, to worker", other,
            [](auto& me) { start_wait(me, swap_looks, true); });
    }
  }

  static void start_wait(worker& me, worker_stage stage, bool with_deadline) {
    begin_wait(me, with_deadline);
    me.at = stage;
  }

  // wait()
  void look(state& next, worker& me) const {
    const bool looks = !lacks(without::taking_a_queued_wake);
    if (looks && me.word.make([](real& word) { return word.take_wake(); })) {
      if (!owes(me, owed_queued)) fail(next, fault_doubled);
      settle(me, owed_queued);
      return forget_wait(me);
    }
    if (owes(me, owed_queued)) fail(next, fault_slept);
    me.why = waited;
    me.at = departs;
  }

  // depart() and successor()
  template <class Can, class Goes>
  void departure_steps(const state& now, int w, const Can& can, const Goes& goes) const {
    const worker& self = now.workers[w];
    switch (self.at) {
      case departs:
        if (lacks(without::commit_by_the_next) && self.word.place() == real::running) {
          return goes("makes the move of its own departure", [&](state& next, auto& me) {
            if (this->commit_move(next, w)) next.carriers[me.on].publishing = byte(w);
          });
        }
        goes("departs to its server", [&](state& next, auto& me) {
          next.carriers[me.on].at = seeks;
          this->vacate(next, w);
        });
        return choose_successor(now, w, can);
      case holds_next:
        return goes("makes that one held", [&](state& next, auto& me) {
          if (!next.workers[me.target].word.make([](real& word) { return word.hold(); })) {
            return fail(next, fault_asserts);
          }
          me.at = runs_next;
        });
      default:
        return goes("departs to that one", [&](state& next, auto& me) {
          worker& successor = next.workers[me.target];
          if (!this->claim_held(successor)) {
            if (lacks(without::successor_that_may_fail)) fail(next, fault_asserts);
            me.at = departs;
            return;
          }
          successor.server = me.server;
          const int place = me.on;
          this->vacate(next, w);
          this->execute(next, me.target, place);
        });
    }
  }

  template <class Can>
  void choose_successor(const state& now, int w, const Can& can) const {
    if (!here_.successors) return;
    for (int other = 0; other < here_.workers; ++other) {
      if (now.workers[other].listed == 0) continue;
      can({"worker", w, "takes out of the list worker", other}, [&](state& next) {
        --next.workers[other].listed;
        next.workers[w].target = byte(other);
        next.workers[w].at = holds_next;
      });
    }
  }

  // preempt_guard::leave() and honour_preempt_request()
  template <class Goes>
  void preemption_steps(std::uint8_t at, const Goes& goes) const {
    switch (at) {
      case ends_guard:
        return goes("ends its guard", [&](state&, auto& me) { end_guard(me); });
      case ends_unseen:
        return goes("turns preemption on", [](state&, auto& me) {
          --me.depth;
          me.at = in_user_code;
        });
      case looks_for_request:
        return goes("looks for a request", [](state&, auto& me) {
          if (me.word.has(real::preempt_requested)) {
            me.at = turns_off;
          } else {
            me.at = me.inner != in_user_code ? me.inner : me.back;
            me.inner = in_user_code;
          }
        });
      case turns_off:
        return goes("turns preemption off", [](state&, auto& me) {
          ++me.depth;
          me.at = takes_request;
        });
      case takes_request:
        return goes("takes the request", [&](state& next, auto& me) {
          const bool had = me.word.make([](real& word) { return word.take_preempt_request(); });
          if (!had && !lacks(without::taking_the_request)) {
            me.at = ends_honour;
            return;
          }
          if (!owes(me, owed_stop)) fail(next, fault_unasked);
          settle(me, owed_stop);
          me.why = preempted;
          me.at = departs;
        });
      default:
        return goes("turns preemption on again", [](state&, auto& me) {
          --me.depth;
          me.at = looks_for_request;
        });
    }
  }

  void end_guard(worker& me) const {
    if (lacks(without::ending_then_looking)) {
      me.back = in_user_code;
      me.at = ends_unseen;
      if (!me.word.has(real::preempt_requested)) return;
    }
    --me.depth;
    me.back = in_user_code;
    me.at = lacks(without::looking_when_it_ends) ? in_user_code : looks_for_request;
  }

  // swap()
  template <class Goes>
  void swap_steps(int w, std::uint8_t at, const Goes& goes) const {
    switch (at) {
      case swap_looks:
        return goes("looks for a wake of its own",
                    [&](state& next, auto& me) { look_before_swap(next, me); });
      case swap_wakes:
      case swap_wakes_target:
        return goes("wakes its target",
                    [&](state& next, auto& me) { wake_target(next, me, at == swap_wakes); });
      case swap_takes_own_wake:
        return goes("takes its own wake", [](state& next, auto& me) {
          if (!me.word.make([](real& word) { return word.take_wake(); })) {
            fail(next, fault_asserts);
          }
          settle(me, owed_queued);
          forget_wait(me);
        });
      case swap_claims_waiting:
        return goes("claims its target if that waits", [&](state& next, auto& me) {
          worker& target = next.workers[me.target];
          bool claimed = this->claim_waiting(target);
          if (!claimed && lacks(without::winning_the_target)) {
            target.word.put(real::running);
            claimed = true;
          }
          me.at = claimed ? swap_switches : swap_claims_held;
        });
      case swap_claims_held:
        return goes("claims its target if that is held", [&](state& next, auto& me) {
          const bool claimed = this->claim_held_for_swap(next.workers[me.target]);
          me.at = claimed ? swap_switches : swap_looks_at_target;
        });
      case swap_looks_at_target:
        return goes("looks whether its target is listed", [](state& next, auto& me) {
          if (next.workers[me.target].word.place() == real::listed) return swap_failed(next, me);
          me.at = swap_wakes_target;
        });
      default:
        return goes("switches to its target", [&](state& next, auto& me) {
          worker& target = next.workers[me.target];
          if (!lacks(without::passing_the_server)) target.server = me.server;
          me.why = waited;
          const int place = me.on;
          this->vacate(next, w);
          this->execute(next, me.target, place);
        });
    }
  }

  void look_before_swap(state& next, worker& me) const {
    if (lacks(without::claim_before_link)) next.workers[me.target].server = me.server;
    bool has_wake = me.word.has(real::wake_queued);
    if (has_wake && lacks(without::failing_whole)) {
      me.word.make([](real& word) { return word.take_wake(); });
      settle(me, owed_queued);
      owe(me, owed_given_back);
    }
    if (has_wake && lacks(without::looking_for_own_wake)) {
      fail(next, fault_slept);
      has_wake = false;
    }
    me.at = has_wake ? swap_wakes : swap_claims_waiting;
  }

  void wake_target(state& next, worker& me, bool stays) const {
    bool gone = false;
    if (this->wake(next.workers[me.target], gone)) next.carriers[me.on].publishing = me.target;
    if (gone) return swap_failed(next, me);
    me.at = stays ? swap_takes_own_wake : takes_wake;
    if (stays && owes(me, owed_given_back)) forget_wait(me);
  }

  // With ESRCH or EBUSY.
  static void swap_failed(state& next, worker& me) {
    if (owes(me, owed_given_back)) fail(next, fault_changed);
    forget_wait(me);
  }

  // The half has saved it before it calls returned().
  static void arrive(worker& me) {
    me.on = nobody;
    me.at = saved;
  }

  // umcg_wake(), leave_server() and return_to_servers()
  template <class Can, class Goes>
  void region_steps(int w, std::uint8_t at, const Can& can, const Goes& goes) const {
    switch (at) {
      case wakes:
        return goes("makes its wake", [&](state& next, auto& me) {
          bool gone = false;
          const bool lists = this->wake(next.workers[me.target], gone);
          if (lists) next.carriers[me.on].publishing = me.target;
          me.at = ends_guard;
        });
      case leaves:
        return goes("goes on without a server", [&](state& next, auto& me) {
          const int place = me.on;
          next.carriers[place].at = seeks;
          this->vacate(next, w);
          me.why = in_own_thread;
          me.server = nobody;
          me.on = state::own_thread;
          me.at = in_region;
        });
      case in_region:
        return can({"worker", w, "comes back", -1, false},
                   [&](state& next) { next.workers[w].at = returns; });
      case returns:
        return goes("makes the move of its return", [&](state&, auto& me) {
          const state_word before = me.word;
          const bool lists = me.word.make([](real& word) { return word.come_back(); });
          if (!lists && lacks(without::remembering_early_return)) me.word = before;
          me.at = lists ? publishes_itself : saves_late;
          if (!lists && !lacks(without::saving_before_returning)) arrive(me);
        });
      case publishes_itself:
        return goes("pushes itself onto the list", [&](state&, auto& me) {
          ++me.listed;
          me.at = saves_late;
          if (!lacks(without::saving_before_returning)) arrive(me);
        });
      default:
        return goes("stops executing", [](state&, auto& me) { arrive(me); });
    }
  }
};

}  // namespace umcg::model
