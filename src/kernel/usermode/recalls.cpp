// SPDX-License-Identifier: MIT
#include "kernel/usermode/recalls.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "kernel/usermode/pending_signal.hpp"
#include "kernel/usermode/watch.hpp"
#include "libumcg/preemption.hpp"

namespace umcg::kernel::usermode {

using libumcg::task;
using time_point = deadline::clock::time_point;

namespace {

constexpr int looks_most = 4;

// Carriers that the monitor has not seen yet, linked through carrier::noted_after.
constinit std::atomic<carrier*> newly_noted{nullptr};

// The monitor's, linked likewise: it looks at the first, which then gets in line again.
class carriers_in_turn {
 public:
  void push(carrier& one) noexcept {
    one.noted_after = nullptr;
    (last_ != nullptr ? last_->noted_after : first_) = &one;
    last_ = &one;
    ++count_;
  }
  carrier* pop() noexcept {
    carrier* const first = first_;
    if (first == nullptr) return nullptr;
    first_ = first->noted_after;
    if (first_ == nullptr) last_ = nullptr;
    --count_;
    return first;
  }
  int count() const noexcept { return count_; }

 private:
  carrier* first_ = nullptr;
  carrier* last_ = nullptr;
  int count_ = 0;
};
constinit carriers_in_turn in_turn;

// A worker that goes on there without its server; null: there is none.
task* lost_on(const carrier& on) noexcept {
  task* const worker = on.hosts.get();
  return worker != nullptr && worker->claim.is_taken() ? worker : nullptr;
}

// It hosts none any more. Who notes the next one sets the flag after that one has lost its server;
// the flag goes first here, and the look comes second: one of the two sees the other.
bool may_forget(carrier& on) noexcept {
  on.is_noted.store(false);
  return lost_on(on) == nullptr || on.is_noted.exchange(true);
}

void fetch_newly_noted(time_point now) noexcept {
  carrier* each = newly_noted.load() != nullptr ? newly_noted.exchange(nullptr) : nullptr;
  while (each != nullptr) {
    carrier& noted = *std::exchange(each, each->noted_after);
    noted.switches_noted = noted.hosts.switches();
    noted.computes_since = now;
    in_turn.push(noted);
  }
}

// The worker that has lost its server there, and its carrier, are looked at once more. Whether it
// computes.
bool look_at(carrier& on, task& worker, time_point now) noexcept {
  const std::uint64_t switches = on.hosts.switches();
  const bool is_another = std::exchange(on.switches_noted, switches) != switches;
  if (!on.status.is_open()) on.status.open(on.kernel_thread);
  const bool computes = on.status.look().what == thread_sample::state::running;
  if (is_another || !computes) on.computes_since = now;
  const watch* const over = on.hosts.watched();
  const std::chrono::nanoseconds quantum(over != nullptr ? over->quantum_ns.load() : 0);
  if (quantum.count() == 0) return false;
  const bool too_long = now - on.computes_since >= quantum;
  if (too_long && may_signal(on) && libumcg::recall(worker)) note_signal(on);
  return computes;
}

}  // namespace

void note_lost_server(carrier& on) noexcept {
  if (on.is_noted.exchange(true)) return;
  carrier* first = newly_noted.load();
  do {
    on.noted_after = first;
  } while (!newly_noted.compare_exchange_weak(first, &on));
}

bool recall_who_computes(time_point now) noexcept {
  fetch_newly_noted(now);
  bool any_computes = false;
  for (int looks = std::min(in_turn.count(), looks_most); looks > 0; --looks) {
    carrier& on = *in_turn.pop();
    task* const worker = lost_on(on);
    if (worker == nullptr && may_forget(on)) continue;
    if (worker != nullptr && look_at(on, *worker, now)) any_computes = true;
    in_turn.push(on);
  }
  return any_computes;
}

void forget_recalls() noexcept {
  newly_noted.store(nullptr);
  in_turn = {};
}

}  // namespace umcg::kernel::usermode
