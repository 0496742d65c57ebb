// SPDX-License-Identifier: MIT
#pragma once

// The one shared word of a task. Every change of a task's state is one compare-exchange on this
// word by one of the named moves below; who wins the exchange owns what follows.
//
// A worker's states, and who makes each move:
//
//   none    --begin-->              listed    the registering thread
//   listed  --hold-->               held      a server that looks for work
//   held    --run_held-->           running   that server; a worker that swaps to it
//   running --block_or_list-->      blocked   its server's carrier
//   blocked --unblock, come_back--> listed    whoever completes; the worker's own thread, its half
//   running --wait_or_list-->       waiting   its server's carrier
//   waiting --wake, time_out-->     listed    any thread
//   waiting --run_waiting-->        running   a worker that swaps to it
//   held, waiting --run_found-->    running   a server or worker that knows its id
//   running --yield-->              listed    its server's carrier, also for a preemption
//   running --end-->                none      unregister, thread exit
//
// listed: in the idle workers list, owned by the list. held: owned by the server that took it. A
// server or basic task is running, or waiting (in umcg_wait or umcg_swap), or a server is attached
// (a worker runs on it).
//
// wait_or_list, block_or_list and yield are made by the context that runs next on the carrier,
// after the worker's registers have been saved: whoever sees waiting or listed may run the worker
// at once. So no waker has to look whether the worker "has left yet", which is what the published
// prototype's wakers spin on.
//
// A wake of a task that is not waiting sets wake_queued: at most one is remembered, and the task's
// next wait consumes it. A deadline that passes is remembered the same way; a wake beats a deadline
// whenever both came. tests/model/wait_wake_model and worker_wait_model explore this class against
// wakers and deadlines, and find what goes wrong without each look and each order.
//
// Layout: bits 0-5 state as in the kernel patches, 7 preempt requested, 10-17 flags, 18-33 the
// number of the life, which is one registration of the task, 34-63 a sequence number that every
// move increments: the word never returns to an earlier value while anybody still compares with it.
// A clock in its place (as in the patches) costs 20 ns a move and orders nothing.

#include <atomic>
#include <cstdint>

#include "base/assert.hpp"

namespace umcg::libumcg {

enum class wake_result : std::uint8_t {
  queued,   // the task was not waiting: its next wait returns at once
  publish,  // a waiting worker is now listed: the caller puts it into the idle workers list
  rouse,    // a waiting server or basic task is now running: the caller ends its sleep
  stale,    // that life is over
};

enum class preempt_result : std::uint8_t { asked, asked_before, not_running };

class task_state {
 public:
  static constexpr std::uint64_t none = 0;
  static constexpr std::uint64_t running = 1;
  static constexpr std::uint64_t idle = 2;
  static constexpr std::uint64_t blocked = 3;
  static constexpr std::uint64_t state_mask = 0x3f;
  static constexpr std::uint64_t preempt_requested = 1U << 7;
  // A blocked worker came back before its departure was committed.
  static constexpr std::uint64_t unblocked = 1U << 10;
  // A worker's wait was ended by a wake: its deadline comes too late.
  static constexpr std::uint64_t woken = 1U << 11;
  static constexpr std::uint64_t timed_out = 1U << 12;
  static constexpr std::uint64_t in_list = 1U << 13;
  static constexpr std::uint64_t in_hand = 1U << 14;
  static constexpr std::uint64_t has_worker = 1U << 15;
  static constexpr std::uint64_t in_wait = 1U << 16;
  static constexpr std::uint64_t wake_queued = 1U << 17;
  static constexpr std::uint64_t full_mask = (1U << 18) - 1;
  static constexpr std::uint64_t place_mask = state_mask | in_list | in_hand | has_worker | in_wait;

  static constexpr std::uint64_t listed = idle | in_list;
  static constexpr std::uint64_t held = idle | in_hand;
  static constexpr std::uint64_t waiting = idle | in_wait;
  static constexpr std::uint64_t attached = idle | has_worker;

  // State and flags, for reading only: true when it was loaded.
  std::uint64_t look() const noexcept { return word_.load() & full_mask; }
  std::uint64_t place() const noexcept { return word_.load() & place_mask; }
  std::uint64_t stamp() const noexcept { return word_.load() >> sequence_shift; }
  // The task's present life, or its last one. Whoever acts on an id reads this first, then looks
  // what the task is, and then moves with the life that it has read: the move fails when the thread
  // has become something else meanwhile.
  std::uint64_t life() const noexcept { return (word_.load() >> full_bits) & life_mask; }

  // A new life begins in `place` (running, or listed for a worker).
  void begin(std::uint64_t place) noexcept {
    const std::uint64_t old = word_.load();
    UMCG_ASSERT((old & state_mask) == none);
    const std::uint64_t sequence = (old >> sequence_shift) + 1;
    const std::uint64_t life = ((old >> full_bits) + 1) & life_mask;
    word_.store((sequence << sequence_shift) | (life << full_bits) | place);
  }
  // The task is over: no wake finds it. Flags are dropped.
  void end() noexcept {
    change([](std::uint64_t old) { return old & ~full_mask; });
  }

  bool hold() noexcept { return move(listed, held); }
  void unhold() noexcept { must(held, listed); }
  bool run_held() noexcept { return move(held, running); }
  // Runs a waiting worker directly: that is its wake.
  bool run_waiting() noexcept { return move(waiting, running | woken); }
  // Either of the two, for a worker found by its id. False: it is neither, or that life is over.
  // `wakes`: it is a swap, which like every wake beats a deadline that has passed.
  bool run_found(std::uint64_t life, bool wakes) noexcept {
    bool runs = false;
    change([&](std::uint64_t old) {
      const std::uint64_t place = old & place_mask;
      runs = matches(old, life) && (place == held || place == waiting);
      if (!runs) return old;
      const bool ends_wait = place == waiting || (wakes && (old & timed_out) != 0);
      return (old & ~place_mask) | running | (ends_wait ? woken : 0);
    });
    return runs;
  }
  void unblock() noexcept { must(blocked, listed); }
  void yield() noexcept { must_dropping(running, listed, preempt_requested); }
  void attach() noexcept { must(running, attached); }
  void detach() noexcept { must(attached, running); }

  // Running to blocked; or, when the worker has come back already, to listed (true: the caller
  // publishes).
  bool block_or_list() noexcept {
    bool lists = false;
    change([&lists](std::uint64_t old) {
      UMCG_ASSERT((old & place_mask) == running);
      lists = (old & unblocked) != 0;
      return (old & ~place_mask & ~preempt_requested & ~unblocked) | (lists ? listed : blocked);
    });
    return lists;
  }

  // A worker that has left its server comes back: blocked to listed (true: the caller publishes);
  // or, when its departure is not committed yet, leaves that to whoever commits it.
  bool come_back() noexcept {
    bool lists = false;
    change([&lists](std::uint64_t old) {
      lists = (old & place_mask) == blocked;
      return lists ? (old & ~place_mask) | listed : old | unblocked;
    });
    return lists;
  }

  // Running to waiting; or, when a wake or the deadline is there already, to listed (true: the
  // caller publishes).
  bool wait_or_list() noexcept {
    bool lists = false;
    change([&lists](std::uint64_t old) {
      UMCG_ASSERT((old & place_mask) == running);
      lists = (old & (wake_queued | timed_out)) != 0;
      const std::uint64_t flags = old & ~place_mask & ~preempt_requested;
      if ((old & wake_queued) != 0) {
        return (flags & ~(wake_queued | timed_out)) | listed | woken;
      }
      return flags | (lists ? listed : waiting);
    });
    return lists;
  }

  // Running to waiting for a server or basic task; false: a queued wake was consumed instead.
  bool wait_unless_woken() noexcept {
    bool waits = false;
    change([&waits](std::uint64_t old) {
      UMCG_ASSERT((old & place_mask) == running);
      waits = (old & wake_queued) == 0;
      return waits ? (old & ~place_mask) | waiting : old & ~wake_queued;
    });
    return waits;
  }

  bool has_wake() const noexcept { return (word_.load() & wake_queued) != 0; }
  // Consumes a queued wake. False: there was none.
  bool take_wake() noexcept { return drop(wake_queued); }
  bool take_preempt_request() noexcept { return drop(preempt_requested); }

  // A waiting server or basic task gives up at its deadline. False: a wake came first.
  bool stop_waiting() noexcept { return move(waiting, running); }

  // After a worker's wait: true when the deadline ended it and no wake came before it ran again.
  bool end_wait() noexcept {
    bool by_deadline = false;
    change([&by_deadline](std::uint64_t old) {
      by_deadline = (old & (timed_out | woken | wake_queued)) == timed_out;
      const bool wake_beat_deadline =
          (old & (timed_out | woken | wake_queued)) == (timed_out | wake_queued);
      const std::uint64_t kept = old & ~(timed_out | woken);
      return wake_beat_deadline ? kept & ~wake_queued : kept;
    });
    return by_deadline;
  }

  // The running worker drops what time_out() has left for its next wait. False: nothing.
  bool take_time_out() noexcept { return drop(timed_out); }

  // A worker's deadline has passed. True: it was waiting and is now listed; the caller publishes
  // it. A worker that is still on its way into the wait learns it there; one that was woken before
  // drops it at the end of its wait.
  bool time_out() noexcept {
    bool lists = false;
    change([&lists](std::uint64_t old) {
      lists = (old & place_mask) == waiting;
      if (lists) return (old & ~place_mask) | listed | timed_out;
      return (old & place_mask) == running ? old | timed_out : old;
    });
    return lists;
  }

  // Any thread, any state. `is_worker` says where a waiting task goes.
  wake_result wake(std::uint64_t life, bool is_worker) noexcept {
    wake_result result = wake_result::stale;
    change([&](std::uint64_t old) {
      if (!matches(old, life)) {
        result = wake_result::stale;
        return old;
      }
      if ((old & place_mask) != waiting) {
        result = wake_result::queued;
        return old | wake_queued;
      }
      result = is_worker ? wake_result::publish : wake_result::rouse;
      return (old & ~place_mask) | (is_worker ? (listed | woken) : running);
    });
    return result;
  }

  // Asks a running worker to yield.
  preempt_result request_preempt(std::uint64_t life) noexcept {
    preempt_result result = preempt_result::not_running;
    change([&](std::uint64_t old) {
      const bool runs = matches(old, life) && (old & place_mask) == running;
      const bool asked = (old & preempt_requested) != 0;
      result = !runs   ? preempt_result::not_running
               : asked ? preempt_result::asked_before
                       : preempt_result::asked;
      return runs ? old | preempt_requested : old;
    });
    return result;
  }

 private:
  static constexpr int full_bits = 18;
  static constexpr int sequence_shift = 34;
  static constexpr std::uint64_t life_mask = 0xffff;
  static constexpr std::uint64_t one_move = std::uint64_t{1} << sequence_shift;

  static bool matches(std::uint64_t word, std::uint64_t life) noexcept {
    return (word & state_mask) != none && ((word >> full_bits) & life_mask) == life;
  }

  // Applies `next` until the exchange wins; a result equal to the old word changes nothing.
  template <class Next>
  void change(Next next) noexcept {
    std::uint64_t old = word_.load();
    for (;;) {
      const std::uint64_t wanted = next(old);
      if (wanted == old) return;
      if (word_.compare_exchange_weak(old, wanted + one_move)) return;
    }
  }

  // Changes the place and keeps the flags. False: the task is somewhere else.
  bool move(std::uint64_t from, std::uint64_t to, std::uint64_t dropped = 0) noexcept {
    bool moved = false;
    change([&](std::uint64_t old) {
      moved = (old & place_mask) == from;
      return moved ? (old & ~place_mask & ~dropped) | to : old;
    });
    return moved;
  }
  void must(std::uint64_t from, std::uint64_t to) noexcept { UMCG_ASSERT(move(from, to)); }
  void must_dropping(std::uint64_t from, std::uint64_t to, std::uint64_t dropped) noexcept {
    UMCG_ASSERT(move(from, to, dropped));
  }

  bool drop(std::uint64_t flag) noexcept {
    bool had = false;
    change([&](std::uint64_t old) {
      had = (old & flag) != 0;
      return old & ~flag;
    });
    return had;
  }

  std::atomic<std::uint64_t> word_{0};
};

}  // namespace umcg::libumcg
