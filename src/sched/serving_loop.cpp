// SPDX-License-Identifier: MIT
#include "sched/serving_loop.hpp"

#include "libumcg/scheduling.hpp"
#include "sched/server_group.hpp"

namespace umcg::sched {

using libumcg::task;

void serving_loop::run() noexcept {
  for (;;) {
    if (task* worker = libumcg::take_idle_worker(self_)) {
      run(*worker);
    } else if (!run_preempted()) {
      if (group_.stopping()) return;
      group_.park(self_, source_);
      runs_left_ = runs_max;
    }
  }
}

void serving_loop::run(task& worker) noexcept {
  self_.serving->direct_runs = runs_left_ - 1;
  // Another worker may have swapped to it meanwhile.
  if (!worker.state.run_held()) return;
  const libumcg::run_result ran = libumcg::run(self_, worker);
  runs_left_ = self_.serving->direct_runs;
  // What it blocks for may be a lock that somebody holds who was preempted.
  if (ran.handed_off) run_one_preempted();
  if (runs_left_ > 0) return;
  source_.poll();
  runs_left_ = runs_max;
  if (libumcg::any_preempted_worker(*self_.in) && turn_ended_ + quantum_ <= clock::now()) {
    run_one_preempted();
  }
}

// When nobody else can run. False: nor can one of these.
bool serving_loop::run_preempted() noexcept {
  if (!libumcg::any_preempted_worker(*self_.in)) return false;
  source_.poll();
  if (task* worker = libumcg::take_idle_worker(self_)) {
    run(*worker);
    return true;
  }
  return run_one_preempted();
}

// Its turn may be long: the completions of others are looked at before anybody follows.
bool serving_loop::run_one_preempted() noexcept {
  task* worker = libumcg::take_preempted_worker(self_);
  if (worker == nullptr) return false;
  self_.serving->direct_runs = 0;
  if (worker->state.run_held()) libumcg::run(self_, *worker);
  turn_ended_ = clock::now();
  source_.poll();
  return true;
}

}  // namespace umcg::sched
