// SPDX-License-Identifier: MIT
#pragma once

// The servers of a group that found no idle worker and are parked, or about to be.
//
//   serving  --announce-->            parked
//   parked   --withdraw-->            serving   by itself: found work after all, or its deadline
//   parked   --take_one-->            summoned  by a pusher, who then ends its sleep
//   summoned --(its sleep ends)-->    serving
//
// No worker waits beside a parked server: a pusher first pushes and then looks here; a server first
// announces itself here and then looks at every queue once more before it sleeps. Each side stores
// and then loads, with a full barrier between, so at least one of them sees the other (R1, R2, R4).
// Without the second look tests/model/idle_protocol_model finds a worker that nobody runs.
//
// A push summons one server however many workers it brings. A summoned server that takes a worker
// and sees more of them summons the next (R3): the wake-ups spread like a chain instead of a
// stampede. Workers that move between queues are a push too: a server may have looked at both while
// they were in neither.
//
// Deadlines of waiting workers have one of the parked servers for a timekeeper: it sleeps until the
// next of them, and whoever makes that an earlier one ends its sleep. The first to park keeps the
// time and is the last to be summoned. A parked server that
// takes work or leaves and sees no timekeeper summons another, which then does the same or parks. A
// server that parks announces itself, then claims the office, if it is free, then looks at the next
// deadline; whoever sets that looks afterwards for the timekeeper, and if there is none for
// anybody: one of the two sees the other. Without each of these steps
// tests/model/group_deadline_model finds a deadline that nobody sleeps until.
//
// A summons that arrives late finds a server that serves already. It is then remembered as one
// early end of the server's next sleep, and nothing else: a server that runs a worker is never
// disturbed by it (R5, B24). A server that unregisters waits for the summonses that are on their
// way: without that the same model finds one that reaches nobody.

#include <atomic>
#include <cstddef>

#include "base/short_lock.hpp"
#include "libumcg/task.hpp"

namespace umcg::libumcg {

class idle_servers {
 public:
  // One that is announced as the last is taken out last.
  void announce(task& server, bool as_last = false) noexcept {
    base::short_guard guard(lock_);
    task** link = &first_;
    while (as_last && *link != nullptr) link = &(*link)->next;
    server.next = *link;
    *link = &server;
    count_.store(count_.load() + 1);
  }

  // Takes that one out: itself, or who is going to summon it. False: it is not here; somebody else
  // has taken it out, and a summons is on its way, or it has done so itself.
  bool withdraw(task& server) noexcept {
    base::short_guard guard(lock_);
    for (task** link = &first_; *link != nullptr; link = &(*link)->next) {
      if (*link != &server) continue;
      *link = server.next;
      count_.store(count_.load() - 1);
      return true;
    }
    return false;
  }

  // The server that parked last (its caches are the warmest); null when none is parked.
  task* take_one() noexcept {
    if (count_.load() == 0) return nullptr;
    base::short_guard guard(lock_);
    task* server = first_;
    if (server == nullptr) return nullptr;
    first_ = server->next;
    count_.store(count_.load() - 1);
    return server;
  }

  std::size_t count() const noexcept { return count_.load(); }

 private:
  base::short_lock lock_;
  task* first_ UMCG_GUARDED_BY(lock_) = nullptr;
  std::atomic<std::size_t> count_{0};
};

}  // namespace umcg::libumcg
