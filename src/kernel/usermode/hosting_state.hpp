// SPDX-License-Identifier: MIT
#pragma once

// Which kernel thread hosts a task's context now, and whom a kernel thread hosts. Both pass with
// every switch, from whoever left to whoever continues, and others read them: to send a preemption
// signal there, or to see whether a worker blocks its carrier. Who finds one there sees it made,
// and there is no more order than that: a full barrier here would cost as much as the rest of the
// switch.
//
// A request for preemption is not missed for that. Who asks sets the bit in the worker's word and
// then reads this; a carrier that takes the worker on writes this and then, before user code runs,
// reads the bit (preempt_depth::see_requests). With a full barrier between the two on both sides
// the signal goes to the right kernel thread or the worker sees the bit by itself; a signal to the
// wrong kernel thread does nothing.
//
// A watcher reads whom a carrier hosts while it has seen it asleep: what the carrier wrote before
// is visible then. claim_state.hpp says why that is enough.

#include <atomic>
#include <cstdint>

namespace umcg::libumcg {
struct task;
}

namespace umcg::kernel::usermode {

struct carrier;
struct watch;

class hosting_state {
 public:
  carrier* get() const noexcept { return carrier_.load(std::memory_order_acquire); }
  carrier* look_after_request() const noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return get();
  }
  void pass_to(carrier* next) noexcept { carrier_.store(next, std::memory_order_release); }

 private:
  std::atomic<carrier*> carrier_{nullptr};
};

class hosted_state {
 public:
  // The carrier itself, at each switch.
  void pass_to(libumcg::task* next) noexcept {
    task_.store(next, std::memory_order_release);
    switches_.store(switches() + 1, std::memory_order_relaxed);
  }
  // The carrier itself: it hosts that server, and workers of it, from now on; null: nobody. `over`:
  // what its watchers have of it.
  void adopt(libumcg::task* server, watch* over) noexcept {
    watch_.store(over, std::memory_order_relaxed);
    pass_to(server);
  }

  libumcg::task* get() const noexcept { return task_.load(std::memory_order_acquire); }
  watch* watched() const noexcept { return watch_.load(std::memory_order_relaxed); }
  std::uint64_t switches() const noexcept { return switches_.load(std::memory_order_relaxed); }

 private:
  std::atomic<libumcg::task*> task_{nullptr};
  std::atomic<watch*> watch_{nullptr};
  std::atomic<std::uint64_t> switches_{0};
};

}  // namespace umcg::kernel::usermode
