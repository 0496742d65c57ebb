// SPDX-License-Identifier: MIT
#pragma once

// The rules of idle_protocol, of which tests break one or the other, and the scenarios in which it
// is explored.

#include <cstdint>

namespace umcg::model {

// When a server that has been summoned looks whether there is more work and summons the next:
// never, before it takes a worker, before it takes one but only if it sees two, or after.
enum class chaining : std::uint8_t { never, before_taking, if_several, after_taking };

// What a server takes from another's queue. What it does not run at once goes into its own queue,
// for which it summons a server, or does not.
enum class stealing : std::uint8_t { one, half, half_silently };

// When a server takes from the shared queue: one worker when its own queue is empty, or, first of
// all, half of them into its own queue. For that it summons a server if its own queue then holds
// more than it is going to take, or it does not.
enum class fetching : std::uint8_t { one_after_own, half_first, half_first_silently };

struct protocol {
  // What a server does that leaves the list and finds that it has been summoned meanwhile: it waits
  // for the wake, or it goes on, and the wake ends its next sleep early.
  bool awaits_its_wake = false;
  chaining chains = chaining::after_taking;
  stealing steals = stealing::half;
  fetching fetches = fetching::half_first;

  // What tests break.
  bool looks_again = true;               // at every queue, once it has announced itself
  bool sees_whether_summoned = true;     // when it leaves the list
  bool announces_before_looking = true;  // a full barrier between
  bool pushes_before_counting = true;    // a full barrier between
  bool takes_under_lock = true;
  bool remembers_wakes = true;         // one that comes before the sleep ends the sleep
  bool passes_on_vain_wakes = false;   // a server that was summoned for nothing summons the next
  bool looks_before_leaving = true;    // a server that was summoned unregisters after a vain look
  bool leaves_queue_to_others = true;  // what is in the queue of one that unregisters
  bool summons_for_what_it_leaves = true;
  bool awaits_deliveries = true;  // of every summons that is on its way to one that unregisters
};

struct scenario {
  int servers;
  int workers;
  bool sleeps_end = false;  // a deadline, or a completion, may end any sleep
  bool batches = false;     // a server's reactor may push any number of workers at once
  int blocks = 0;           // how often each worker may block and become idle again
  bool yields = false;      // or, instead, yield: it is idle at once, in its server's queue
  bool successors =
      false;        // a worker that stops may continue the next of its server's queue itself
  int leavers = 0;  // so many servers may unregister
  // Pushers push to any queue. Without: to a server's queue only while it runs a worker, as
  // publish() does, which leaves fewer states.
  bool far_pushes = true;
};

}  // namespace umcg::model
