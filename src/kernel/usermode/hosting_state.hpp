// SPDX-License-Identifier: MIT
#pragma once

// Which kernel thread hosts a task's context now. Passes with every switch, from whoever left to
// whoever continues; read by other threads only to send a preemption signal there. Relaxed: a full
// barrier here would cost as much as the rest of the switch.
//
// A request for preemption is not missed for that. Who asks sets the bit in the worker's word and
// then reads this; a carrier that takes the worker on writes this and then, before user code runs,
// reads the bit (preempt_depth::see_requests). With a full barrier between the two on both sides
// the signal goes to the right kernel thread or the worker sees the bit by itself; a signal to the
// wrong kernel thread does nothing.

#include <atomic>

namespace umcg::kernel::usermode {

struct carrier;

class hosting_state {
 public:
  carrier* get() const noexcept { return carrier_.load(std::memory_order_relaxed); }
  carrier* look_after_request() const noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return get();
  }
  void pass_to(carrier* next) noexcept { carrier_.store(next, std::memory_order_relaxed); }

 private:
  std::atomic<carrier*> carrier_{nullptr};
};

}  // namespace umcg::kernel::usermode
