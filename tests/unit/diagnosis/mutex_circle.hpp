// SPDX-License-Identifier: MIT
#pragma once

// Two mutexes, each locked by a worker that waits for the other: nothing ends that but the process.

#include <cstdio>
#include <cstdlib>
#include <string>

#include "umcg/diagnosis.hpp"
#include "umcg/group.hpp"
#include "umcg/sync.hpp"
#include "unit/diagnosis/caught_error_output.hpp"
#include "unit/sched/time_limits.hpp"

namespace umcg::testing {

// Makes one and exits: with 0 if a dump shows it as well. Standard error has the hint.
template <class Mutex>
void lock_in_a_circle() {
  caught_error_output caught;
  Mutex first;
  Mutex second;
  sync::semaphore both(0);
  sync::event go;
  group running = group::start({.servers = 2});
  const auto lock_both = [&](Mutex& mine, Mutex& of_other) {
    mine.lock();
    both.release();
    go.wait();
    of_other.lock();
  };
  const worker one = running.spawn([&] { lock_both(first, second); }, {.name = "one"});
  const worker other = running.spawn([&] { lock_both(second, first); }, {.name = "other"});
  const worker starter = running.spawn([&] {
    both.acquire();
    both.acquire();
    go.set();
  });
  const std::string said = caught.read_until("of worker ", patience());
  const std::string dump = diagnosis::dump_workers();
  const bool shown = dump.find("umcg: deadlock: worker ") != std::string::npos;
  ::dprintf(caught.kept(), "%s", said.c_str());
  std::_Exit(shown ? 0 : 1);
}

inline constexpr const char* circle_of_one_and_other =
    "umcg: deadlock: worker [0-9]+ .(one|other). waits for mutex 0x[0-9a-f]+ of "
    "worker [0-9]+ .(one|other). waits for mutex 0x[0-9a-f]+ of worker";

}  // namespace umcg::testing
