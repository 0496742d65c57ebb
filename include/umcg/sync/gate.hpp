// SPDX-License-Identifier: MIT
#pragma once

// What an event and a wait group have in common. For the library itself.

#include <cstdint>

#include "umcg/deadline.hpp"
#include "umcg/sync/gate_state.hpp"
#include "umcg/sync/wait_queue.hpp"

namespace umcg::sync {

class gate {
 public:
  explicit constexpr gate(std::uint64_t count) noexcept : state_(count) {}

  bool is_open() const noexcept { return state_.is_open(); }
  bool wait_until(deadline until);
  void add(std::uint64_t count) noexcept;
  void shut() noexcept { state_.shut(); }
  void take(std::uint64_t count) noexcept;
  void open() noexcept;

 private:
  bool wait_in_queue(deadline until) noexcept;
  bool take_queued(std::uint64_t count) noexcept;

  gate_state state_;
  wait_queue queue_;
};

}  // namespace umcg::sync
