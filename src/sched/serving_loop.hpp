// SPDX-License-Identifier: MIT
#pragma once

// What a server does: take - run - park, until there is nothing to run and nothing to come. Workers
// that compute are preempted; these run when nobody else can, or after the others have had as long
// as one of them.

#include <chrono>
#include <cstdint>

#include "libumcg/group.hpp"
#include "sched/event_source.hpp"
#include "umcg/deadline.hpp"

namespace umcg::sched {

class server_group;

class serving_loop {
 public:
  serving_loop(server_group& of, libumcg::task& self, event_source& source) noexcept
      : group_(of), self_(self), source_(source), quantum_(self.in.load()->quantum) {}

  // Until the group stops.
  void run() noexcept;

 private:
  using clock = deadline::clock;

  // How many workers may run, one after another, before the server looks at its completions again.
  static constexpr std::uint32_t runs_max = 64;

  void run(libumcg::task& worker) noexcept;
  bool run_preempted() noexcept;
  bool run_one_preempted() noexcept;

  server_group& group_;
  libumcg::task& self_;
  event_source& source_;
  const std::chrono::nanoseconds quantum_;
  std::uint32_t runs_left_ = runs_max;
  clock::time_point turn_ended_;  // of a preempted worker
};

}  // namespace umcg::sched
