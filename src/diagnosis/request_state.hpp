// SPDX-License-Identifier: MIT
#pragma once

// The shared word between somebody who asks and somebody who answers, who may be late, or never
// come:
//
//   open      --ask-->       asked      the asker, who fills in what it asks
//   asked     --begin-->     answering  the one asked: from here on the answer is its to write
//   answering --finish-->    answered   the same
//   answered  --take-->      open       the asker, who has read the answer
//   asked     --withdraw-->  open       the asker, who has waited long enough
//
// Once an answer has been begun it cannot be withdrawn: the asker may go away, but it does not ask
// here again before the answer is finished. So nobody writes an answer while another question is
// asked or its answer read. The word names who is asked: a signal that arrives late, at a thread
// whose question was withdrawn, begins nothing unless the same is asked again.
// tests/model/diagnosis_request_model explores this class.

#include <atomic>
#include <cstdint>

namespace umcg::diagnosis {

class request_state {
 public:
  // The asker, before it fills in what it asks. False: an earlier answer is still being written.
  bool may_ask() noexcept {
    const std::uint32_t stage = word_.load() & stage_mask;
    return stage == open || stage == answered;
  }
  void ask(std::uint32_t whom) noexcept { word_.store((whom << stage_bits) | asked); }
  bool begin(std::uint32_t whom) noexcept { return move(whom, asked, answering); }
  void finish(std::uint32_t whom) noexcept { word_.store((whom << stage_bits) | answered); }
  bool is_answered() const noexcept { return (word_.load() & stage_mask) == answered; }
  void take() noexcept { word_.store(open); }
  // False: it has been begun.
  bool withdraw(std::uint32_t whom) noexcept { return move(whom, asked, open); }

  bool is_asked() const noexcept { return (word_.load() & stage_mask) == asked; }

  // For sleeping on it.
  std::atomic<std::uint32_t>& word() noexcept { return word_; }
  std::uint32_t look() const noexcept { return word_.load(); }

 private:
  static constexpr int stage_bits = 2;
  static constexpr std::uint32_t stage_mask = 3;
  enum : std::uint32_t { open, asked, answering, answered };

  bool move(std::uint32_t whom, std::uint32_t from, std::uint32_t to) noexcept {
    std::uint32_t expected = (whom << stage_bits) | from;
    return word_.compare_exchange_strong(expected, (whom << stage_bits) | to);
  }

  std::atomic<std::uint32_t> word_{open};
};

}  // namespace umcg::diagnosis
