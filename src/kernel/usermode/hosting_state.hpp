// SPDX-License-Identifier: MIT
#pragma once

// Which kernel thread hosts a task's context now. Passes with every switch, from whoever left to
// whoever continues; read by other threads only to send a signal there, and a signal that arrives
// at the wrong kernel thread finds no request and does nothing. So nothing is ordered by it and
// relaxed is enough: a full barrier here would cost as much as the rest of the switch.

#include <atomic>

namespace umcg::kernel::usermode {

struct carrier;

class hosting_state {
 public:
  carrier* get() const noexcept { return carrier_.load(std::memory_order_relaxed); }
  void pass_to(carrier* next) noexcept { carrier_.store(next, std::memory_order_relaxed); }

 private:
  std::atomic<carrier*> carrier_{nullptr};
};

}  // namespace umcg::kernel::usermode
