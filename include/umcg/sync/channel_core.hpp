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

// What is to be done with a channel: put a value into it, or take one out.
enum class channel_end : std::uint8_t { send, receive };

enum class channel_turn : std::uint8_t {
  waits,      // it stands in line
  promised,   // it need not wait
  closed,     // likewise
  elsewhere,  // another channel has claimed it
};

// A value that its sender, in line, holds ready for the ring.
class ready_value {
 public:
  // Moves it there. Called at most once, by whoever has made room, with the channel's mutex locked.
  virtual void put(std::size_t at) noexcept = 0;

 protected:
  ~ready_value() = default;
};

class channel_core {
 public:
  explicit channel_core(std::size_t capacity) noexcept;

  // Waits for a room, or a value. `done`: the caller owns the ring, puts a value at tail() or takes
  // the one at head(), and says whether it has done so. Or, of a sender that had to wait and holds
  // its value ready: the value was put, and the ring is not the caller's. Errors: those of scopes.
  channel_result begin(channel_end end, deadline until, ready_value* held = nullptr);
  void end_sending(bool sent) noexcept;
  void end_receiving(bool received) noexcept;

  // The same in pieces, for one who waits for several channels at once.
  // As begin() without waiting.
  channel_result try_begin(channel_end end) noexcept;
  // Puts the place in line; or, if it need not wait and nobody else has claimed it, claims it.
  channel_turn queue(channel_end end, waiter& place) noexcept;
  void leave(channel_end end, waiter& place) noexcept;
  // After a promise, as begin(): done, or closed.
  channel_result begin_promised(channel_end end) noexcept;

  void close() noexcept;

  std::size_t tail() const noexcept { return state_.tail(); }
  std::size_t head() const noexcept { return state_.head(); }
  std::size_t capacity() const noexcept { return state_.capacity(); }
  // These may have changed before the call returns.
  std::size_t size() const noexcept;
  bool closed() const noexcept;

 private:
  class lock_guard;

  void lock() const noexcept;
  waiter_list& line(channel_end end) noexcept;
  // What can be done now, with the mutex locked: timed_out for nothing.
  channel_result look(channel_end end) const noexcept;
  channel_result unlock_unless_done(channel_result result) noexcept;
  // Unlocks the mutex and waits in line. Done: it has a promise, or `held` was put.
  channel_result wait_in_line(channel_end end, deadline until, ready_value* held) noexcept;
  void promise(channel_end end) noexcept;
  // There is room for the sender, which was taken out of its line.
  void put_or_promise(const waiter& sender) noexcept;
  // Unlocks the mutex, after what has been unpromised since it was locked is given to those who
  // wait for it.
  void unlock() noexcept;

  mutable mutex mutex_;
  // Guarded by the mutex, as long as anybody else may use the channel.
  channel_state state_;
  waiter_list senders_;
  waiter_list receivers_;
};

}  // namespace umcg::sync
