// SPDX-License-Identifier: MIT
#pragma once

// What one server has done. Written by the context that runs on the server's carrier only, the
// server or one of its workers, so counting is a load and a store; read by anybody at any time.
// Relaxed: nobody infers anything from one number about another. A locked increment would cost a
// tenth of a switch each.

#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "umcg/counters.hpp"

namespace umcg::libumcg {

class server_counters {
 public:
  void count_switch() noexcept { add_one(switches_); }
  void count_block(wait_reason reason) noexcept {
    add_one(blocks_[static_cast<std::size_t>(reason)]);
  }
  void count_handoff(handoff_cause cause) noexcept {
    add_one(handoffs_[static_cast<std::size_t>(cause)]);
  }
  void count_preemption() noexcept { add_one(preemptions_); }
  void count_run_delay(std::chrono::nanoseconds delay) noexcept {
    const auto us = static_cast<std::uint64_t>(delay.count() > 0 ? delay.count() / 1000 : 0);
    const auto bucket = static_cast<std::size_t>(std::bit_width(us));
    add_one(delays_[bucket < delays_.size() ? bucket : delays_.size() - 1]);
  }
  // Whether the delay of the next worker that gets in line is to be measured.
  bool samples() noexcept { return (++published_ & (sampled_one_in - 1)) == 0; }

  // By any thread: adds what has been counted.
  void add_to(counters& sum) const noexcept {
    sum.switches += get(switches_);
    for (std::size_t at = 0; at < wait_reasons; ++at) sum.blocks[at] += get(blocks_[at]);
    for (std::size_t at = 0; at < handoff_causes; ++at) sum.handoffs[at] += get(handoffs_[at]);
    sum.preemptions += get(preemptions_);
    for (std::size_t at = 0; at < delays_.size(); ++at) sum.run_delays[at] += get(delays_[at]);
  }

  // Another server begins here.
  void reset() noexcept {
    clear(switches_);
    for (auto& each : blocks_) clear(each);
    for (auto& each : handoffs_) clear(each);
    published_ = 0;
    clear(preemptions_);
    for (auto& each : delays_) clear(each);
  }

 private:
  using number = std::atomic<std::uint64_t>;
  static constexpr std::uint32_t sampled_one_in = 32;

  static void add_one(number& one) noexcept {
    one.store(one.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  static std::uint64_t get(const number& one) noexcept {
    return one.load(std::memory_order_relaxed);
  }
  static void clear(number& one) noexcept { one.store(0, std::memory_order_relaxed); }

  number switches_{0};
  std::uint32_t published_ = 0;  // the carrier's only
  std::array<number, wait_reasons> blocks_{};
  number preemptions_{0};
  std::array<number, handoff_causes> handoffs_{};
  std::array<number, counters::delay_buckets> delays_{};
};

}  // namespace umcg::libumcg
