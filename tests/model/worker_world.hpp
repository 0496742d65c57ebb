// SPDX-License-Identifier: MIT
#pragma once

// Workers that wait, swap, block, leave their servers, unregister and are preempted, on the
// carriers of servers, with wakers and preempters outside: departing.cpp, waiting.cpp,
// preemption.cpp and the parts of serving.cpp that run a worker, as a model for the explorer. State
// words are the real class. What a carrier has to finish before it goes on (commit, publish) is
// kept with the carrier, since it is done by whoever is executed there. The idle workers list has
// any order; how servers sleep is idle_protocol's.
//
// User code need not call anything, and outsiders need not do anything: only what the library has
// begun is promised to go on.
//
// Faults: those of fault_kind; "lost": a worker is to go on and nobody is going to run it;
// "unheard": a worker was asked to stop, runs user code, and nothing is going to stop it.

#include "model/worker_program.hpp"

namespace umcg::model {

class worker_world : public worker_program {
 public:
  explicit worker_world(const worker_scenario& here, without lack = without::nothing)
      : worker_program(here, lack) {}

  // One worker runs on each carrier, while there are enough; the others are listed, or wait.
  state initial() const {
    state first{};
    for (int w = 0; w < state::workers_most; ++w) begin_worker(first, w);
    for (int c = 0; c < state::carriers_most; ++c) {
      carrier& one = first.carriers[c];
      one.at = c < here_.workers - here_.waiting ? runs_worker : seeks;
      one.target = one.departed = one.publishing = one.arming = nobody;
    }
    first.outsiders[0].left = byte(here_.wakes);
    first.outsiders[1].left = byte(here_.second_waker ? here_.wakes : 0);
    first.outsiders[2].left = byte(here_.preemptions);
    return first;
  }

  state canonical(const state& now) const { return now; }

  const char* fault(const state& now) const {
    static constexpr const char* words[] = {nullptr,  "asserts",  "run twice", "astray",
                                            "adrift", "vanished", "doubled",   "swallowed",
                                            "early",  "slept",    "changed",   "unasked"};
    if (now.wrong != no_fault) return words[now.wrong];
    for (int w = 0; w < here_.workers; ++w) {
      const worker& one = now.workers[w];
      const bool may_be_listed = one.listed == 1 && one.word.place() == real::listed;
      if (one.listed != 0 && !may_be_listed) return words[fault_astray];
      if (one.at == in_user_code && one.server != one.on) return words[fault_adrift];
    }
    return nullptr;
  }

  const char* fault_at_rest(const state& now) const {
    for (int w = 0; w < here_.workers; ++w) {
      const worker& one = now.workers[w];
      if (one.at == saved && forgotten(one)) return "lost";
      if (one.at == in_user_code && owes(one, owed_stop)) return "unheard";
    }
    return nullptr;
  }

  template <class Visit>
  void steps(const state& now, const Visit& visit) const {
    const auto can = [&](const step& one, auto change) {
      state next = now;
      change(next);
      visit(one, next);
    };
    for (int w = 0; w < here_.workers; ++w) worker_steps(now, w, can);
    for (int c = 0; c < here_.carriers; ++c) carrier_steps(now, c, can);
    for (int o = 0; o < 2; ++o) waker_steps(now, o, can);
    preempter_steps(now, can);
  }

 private:
  void begin_worker(state& first, int w) const {
    worker& one = first.workers[w];
    one.on = one.host = one.server = one.target = nobody;
    one.at = saved;
    if (w >= here_.workers) return;
    one.left = byte(here_.operations);
    if (w >= here_.workers - here_.waiting) {
      one.word = state_word::at(real::waiting);
      one.why = waited;
      begin_wait(one, false);
      owe(one, owed_committed);
      one.depth = 1;
    } else if (w < here_.carriers) {
      one.word = state_word::at(real::running);
      one.on = one.host = one.server = byte(w);
      one.at = in_user_code;
    } else {
      one.word = state_word::at(real::listed);
      one.why = listed_anew;
      one.listed = 1;
      one.depth = 1;
    }
  }

  // Nobody else is going to do anything.
  static bool forgotten(const worker& one) {
    switch (one.word.place()) {
      case real::waiting:
        return owes(one, owed_ended | owed_queued | owed_timed_out);
      case real::blocked:
        return one.why == in_own_thread;
      case real::listed:
        return one.listed == 0;
      default:
        return true;  // held or running
    }
  }

  // Whoever is executed on `c`.
  static const worker* executed(const state& now, int c) {
    for (const worker& one : now.workers) {
      if (one.on == c) return &one;
    }
    return nullptr;
  }

  template <class Can>
  void carrier_steps(const state& now, int c, const Can& can) const {
    const carrier& self = now.carriers[c];
    const auto goes = [&](const char* action, int object, auto change) {
      can({"carrier", c, action, object}, [&](state& next) { change(next, next.carriers[c]); });
    };
    if (self.signals != 0) {
      goes("gets a signal", -1, [&](state& next, auto& me) {
        --me.signals;
        handle_signal(next, c);
      });
    }
    if (self.departed != nobody) return commit_steps(now, c, goes);
    if (self.publishing != nobody) {
      return goes("pushes onto the list worker", self.publishing, [](state& next, auto& me) {
        ++next.workers[me.publishing].listed;
        me.publishing = nobody;
      });
    }
    if (self.arming != nobody) {
      return goes("arms late the deadline of worker", self.arming, [](state& next, auto& me) {
        next.workers[me.arming].timer = me.wait;
        me.arming = nobody;
      });
    }
    if (executed(now, c) == nullptr) server_steps(now, c, can, goes);
  }

  // commit()
  template <class Goes>
  void commit_steps(const state& now, int c, const Goes& goes) const {
    const carrier& self = now.carriers[c];
    const worker& departed = now.workers[self.departed];
    const bool has_deadline = departed.why == waited && owes(departed, owed_deadline);
    const bool arms_late = lacks(without::arming_before_the_move);
    if (has_deadline && !arms_late && self.armed == 0) {
      return goes("arms the deadline of worker", self.departed, [](state& next, auto& me) {
        next.workers[me.departed].timer = me.wait;
        me.armed = 1;
      });
    }
    goes("commits the departure of worker", self.departed, [&](state& next, auto& me) {
      if (commit_move(next, me.departed)) me.publishing = me.departed;
      if (has_deadline && arms_late) me.arming = me.departed;
      me.departed = nobody;
      me.armed = 0;
      if (!has_deadline) me.wait = 0;
    });
  }

  // What a server does that runs no worker.
  template <class Can, class Goes>
  void server_steps(const state& now, int c, const Can& can, const Goes& goes) const {
    const carrier& self = now.carriers[c];
    switch (self.at) {
      case seeks:
        return seek(now, c, can);
      case holds:
        return goes("makes that one held", -1, [](state& next, auto& me) {
          const bool held =
              next.workers[me.target].word.make([](real& word) { return word.hold(); });
          if (!held) fail(next, fault_asserts);
          me.at = claims_held;
        });
      case claims_held:
        return goes("claims that one if it is held", -1, [&](state& next, auto& me) {
          const bool claimed = claim_held(next.workers[me.target]);
          me.at = claimed ? switches : claims_waiting;
          if (!claimed && lacks(without::successor_that_may_fail)) fail(next, fault_asserts);
        });
      case claims_waiting:
        return goes("claims that one if it waits", -1, [&](state& next, auto& me) {
          const bool claimed = claim_waiting(next.workers[me.target]);
          me.at = claimed ? switches : seeks;
        });
      case times_out_late:
        return goes("lets pass late the deadline of worker", self.target,
                    [](state& next, auto& me) {
                      const bool lists = time_out(next.workers[me.target], me.wait);
                      if (lists) me.publishing = me.target;
                      me.at = seeks;
                    });
      default:
        return goes("runs worker", self.target, [&](state& next, auto& me) {
          next.workers[me.target].server = byte(c);
          execute(next, me.target, c);
        });
    }
  }

  template <class Can>
  void seek(const state& now, int c, const Can& can) const {
    for (int w = 0; w < here_.workers; ++w) {
      const worker& one = now.workers[w];
      const auto finds = [&](const char* action, bool promised, auto change) {
        can({"carrier", c, action, w, promised},
            [&](state& next) { change(next.carriers[c], next.workers[w]); });
      };
      if (one.listed != 0) {
        finds("takes out of the list worker", true, [&](auto& me, auto& found) {
          --found.listed;
          me.target = byte(w);
          me.at = holds;
        });
      }
      if (here_.runs_directly && one.at != ended) {
        finds("is told to run worker", false, [&](auto& me, auto&) {
          me.target = byte(w);
          me.at = claims_held;
        });
      }
      if (one.timer != 0) {
        finds("lets pass the deadline of worker", false, [&](auto& me, auto& due) {
          const int wait = due.timer;
          due.timer = 0;
          if (lacks(without::deadline_under_lock)) {
            me.target = byte(w);
            me.wait = byte(wait);
            me.at = times_out_late;
          } else if (time_out(due, wait)) {
            me.publishing = byte(w);
          }
        });
      }
      if (reaps(one, c)) {
        can({"carrier", c, "reaps what completes of worker", w, false},
            [&](state& next) { unblock(next, w, c); });
      }
    }
  }

  bool reaps(const worker& one, int c) const {
    if (!owes(one, owed_completion) || one.why != blocked) return false;
    return one.server == c || lacks(without::own_reactor_only);
  }

  static void unblock(state& next, int w, int c) {
    worker& one = next.workers[w];
    if (one.word.place() != real::blocked) return fail(next, fault_asserts);
    one.word.make([](real& word) { word.unblock(); });
    settle(one, owed_completion);
    next.carriers[c].publishing = byte(w);
  }

  // on_signal(), on whatever the carrier executes.
  void handle_signal(state& next, int c) const {
    for (worker& one : next.workers) {
      if (one.on != c) continue;
      if (one.depth != 0 && !lacks(without::a_depth)) return;  // the guard looks when it ends
      const bool requested = one.word.has(real::preempt_requested);
      if (lacks(without::looking_for_a_request) && !requested) return fail(next, fault_unasked);
      if (one.depth != 0) {
        if (!requested || one.inner != in_user_code) return;
        if (busy(next.carriers[c])) return fail(next, fault_vanished);
        one.inner = one.at;
      } else if (one.at == turns_off) {
        one.inner = turns_off;
      } else if (one.at == in_user_code) {
        one.back = in_user_code;
      }
      one.at = looks_for_request;
      return;
    }
  }

  template <class Can>
  void waker_steps(const state& now, int o, const Can& can) const {
    const state::outsider& self = now.outsiders[o];
    if (self.at == out_publishes) {
      return can({"waker", o, "pushes onto the list worker", self.target}, [&](state& next) {
        state::outsider& me = next.outsiders[o];
        ++next.workers[me.target].listed;
        me.target = 0;
        me.at = out_ready;
      });
    }
    if (self.left == 0) return;
    for (int w = 0; w < here_.workers; ++w) {
      can({"waker", o, "wakes worker", w, false}, [&](state& next) {
        state::outsider& me = next.outsiders[o];
        --me.left;
        bool gone = false;
        if (!wake(next.workers[w], gone)) return;
        me.target = byte(w);
        me.at = out_publishes;
      });
    }
  }

  // preempt(), and the half's interrupt()
  template <class Can>
  void preempter_steps(const state& now, const Can& can) const {
    const state::outsider& self = now.outsiders[2];
    switch (self.at) {
      case out_reads_host:
        return can({"preempter", 0, "reads who hosts worker", self.target}, [](state& next) {
          state::outsider& me = next.outsiders[2];
          me.host = next.workers[me.target].host;
          if (me.host != nobody) {
            me.at = out_signals;
            return;
          }
          me.host = me.target = 0;
          me.at = out_ready;
        });
      case out_signals:
        if (lacks(without::signals_that_arrive)) {
          can({"preempter", 0, "is refused a signal to worker", self.target, false},
              [](state& next) {
                state::outsider& me = next.outsiders[2];
                settle(next.workers[me.target], owed_stop);
                me.host = me.target = 0;
                me.at = out_ready;
              });
        }
        return can({"preempter", 0, "signals carrier", self.host}, [](state& next) {
          state::outsider& me = next.outsiders[2];
          ++next.carriers[me.host].signals;
          me.host = me.target = 0;
          me.at = out_ready;
        });
      default:
        break;
    }
    if (self.left == 0) return;
    for (int w = 0; w < here_.workers; ++w) {
      can({"preempter", 0, "requests that stops worker", w, false}, [&](state& next) {
        using libumcg::preempt_result;
        state::outsider& me = next.outsiders[2];
        worker& target = next.workers[w];
        --me.left;
        const auto result = target.word.make([](real& word) { return word.request_preempt(1); });
        if (result == preempt_result::not_running) return;
        owe(target, owed_stop);
        if (result == preempt_result::asked_before) return;
        me.target = byte(w);
        me.at = out_reads_host;
      });
    }
  }
};

}  // namespace umcg::model
