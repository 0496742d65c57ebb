// SPDX-License-Identifier: MIT
#pragma once

// The part of a channel that does not know what is sent. For the library itself.

#include <cstddef>
#include <cstdint>

#include "umcg/deadline.hpp"
#include "umcg/sync/channel_state.hpp"
#include "umcg/sync/mutex.hpp"
#include "umcg/sync/wait_queue.hpp"

namespace umcg::sync {

enum class channel_result : std::uint8_t {
  done,
  closed,     // and, for a receiver, empty
  timed_out,  // the deadline passed; of a try: full, or empty
};

class channel_core {
 public:
  explicit channel_core(std::size_t capacity) noexcept;

  // Waits for a room. `done`: the caller owns the ring, puts a value at tail() and says whether it
  // has done so.
  channel_result begin_sending(deadline until) noexcept;
  void end_sending(bool sent) noexcept;
  // Waits for a value. `done`: the caller owns the ring, takes the value at head() and says whether
  // it has done so.
  channel_result begin_receiving(deadline until) noexcept;
  void end_receiving(bool received) noexcept;

  void close() noexcept;

  std::size_t tail() const noexcept { return state_.tail(); }
  std::size_t head() const noexcept { return state_.head(); }
  std::size_t capacity() const noexcept { return state_.capacity(); }
  // These may have changed before the call returns.
  std::size_t size() const noexcept;
  bool closed() const noexcept;

 private:
  enum class end_of_wait : std::uint8_t { promised, closed, timed_out };

  // Unlocks the mutex and waits in the list for a promise.
  end_of_wait wait_in(waiter_list& waiting, deadline until) noexcept;
  // Unlocks the mutex, after what has been unpromised since it was locked is promised to those who
  // wait for it.
  void unlock() noexcept;

  mutable mutex mutex_;
  // Guarded by the mutex, as long as anybody else may use the channel.
  channel_state state_;
  waiter_list senders_;
  waiter_list receivers_;
};

}  // namespace umcg::sync
