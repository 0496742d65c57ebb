// SPDX-License-Identifier: MIT
#pragma once

// What a channel knows of its ring, guarded by the channel's mutex: so no word of it is atomic. The
// values lie in the places head, head + 1, ... around the ring.
//
//   room  --put-->   value   by a sender
//   value --take-->  room    by a receiver
//
// A waiting sender that is to go on is promised a room, and a waiting receiver a value: nobody else
// gets what is promised, so nobody that waits is overtaken, and one that comes too late finds
// nothing missing. Senders and receivers wait only where there is no unpromised room or value:
// whoever makes one gives it to the first that waits.
//
// When the channel is closed, promises of room are void: a sender that was promised one and has not
// put its value finds the channel closed, like every other. Otherwise a value could come after a
// receiver has found the channel closed and empty. Promises of values hold.
//
// tests/model/sync_channel_model explores this class, and variants that lack one part each.

#include <cstddef>

namespace umcg::sync {

class channel_state {
 public:
  explicit constexpr channel_state(std::size_t capacity) noexcept : capacity_(capacity) {}

  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t count() const noexcept { return count_; }
  bool closed() const noexcept { return closed_; }
  std::size_t promised_rooms() const noexcept { return promised_rooms_; }
  std::size_t promised_values() const noexcept { return promised_values_; }

  // Unpromised.
  bool has_room() const noexcept { return count_ + promised_rooms_ < capacity_; }
  bool has_value() const noexcept { return count_ > promised_values_; }

  // Where the next value goes, and where the next comes from.
  std::size_t tail() const noexcept {
    const std::size_t at = head_ + count_;
    return at < capacity_ ? at : at - capacity_;
  }
  std::size_t head() const noexcept { return head_; }

  void put() noexcept { ++count_; }
  void take() noexcept {
    head_ = head_ + 1 < capacity_ ? head_ + 1 : 0;
    --count_;
  }

  void promise_room() noexcept { ++promised_rooms_; }
  void promise_value() noexcept { ++promised_values_; }
  // By the one to whom it was promised, before it puts or takes.
  void redeem_room() noexcept { --promised_rooms_; }
  void redeem_value() noexcept { --promised_values_; }

  void close() noexcept { closed_ = true; }

 private:
  std::size_t capacity_;
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  std::size_t promised_rooms_ = 0;
  std::size_t promised_values_ = 0;
  bool closed_ = false;
};

}  // namespace umcg::sync
