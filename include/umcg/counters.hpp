// SPDX-License-Identifier: MIT
#pragma once

// What the servers of a group have done so far, for monitoring: see group::counters().

#include <array>
#include <cstddef>
#include <cstdint>

namespace umcg {

// What a worker waits for when it gives its server back.
enum class wait_reason : std::uint8_t {
  other,
  sleep,
  accept,
  connect,
  receive,
  send,
  send_then_receive,
  read,
  write,
  readable,  // until a descriptor can be read: a pipe, a child's end, a signal
  wake,      // umcg_wait()
  swap,      // umcg_swap()
  join,
  mutex,
  shared_mutex,
  condition_variable,
  semaphore,
  gate,  // an event or a wait group
  channel,
  pthread_mutex,      // with libumcg-posix: umcg/posix.hpp
  pthread_condition,  // likewise
  blocking_region,
  file,  // a call on a file or a name that transfers nothing: open, fsync, stat, rename
};
constexpr std::size_t wait_reasons = 23;

// One or two words, for people. Never fails; valid for ever.
const char* name_of(wait_reason reason) noexcept;

// Why a server went on, on another kernel thread, without the worker that it ran.
enum class handoff_cause : std::uint8_t {
  blocking_region,  // the worker said so: umcg::blocking_region
  system_call,      // it was seen to sleep in one
  page_fault,       // likewise
  quantum,          // it had computed for too long, and did not yield when it was asked to; or kept
                    // its server as long and could not be looked at, for want of a descriptor
};
constexpr std::size_t handoff_causes = 4;
const char* name_of(handoff_cause cause) noexcept;

// Sums over the servers of a group, since these were started. Each number is right by itself; they
// are read one after another while the servers go on.
struct counters {
  // How long workers that could run have waited for a server. One in 32 is measured, and those that
  // a thread outside the group has woken. Bucket n counts what took less than 2^n microseconds and
  // fits into no earlier bucket; the last one counts the rest.
  static constexpr std::size_t delay_buckets = 24;

  std::uint64_t switches = 0;  // how often a worker was run
  std::array<std::uint64_t, wait_reasons> blocks{};
  std::array<std::uint64_t, handoff_causes> handoffs{};
  std::uint64_t preemptions = 0;
  std::array<std::uint64_t, delay_buckets> run_delays{};
  // Of the whole process: kernel threads made to host servers beside their own, and how many of
  // these host nobody now.
  std::uint32_t carriers = 0;
  std::uint32_t spare_carriers = 0;

  std::uint64_t blocks_for(wait_reason reason) const noexcept {
    return blocks[static_cast<std::size_t>(reason)];
  }
  std::uint64_t handoffs_by(handoff_cause cause) const noexcept {
    return handoffs[static_cast<std::size_t>(cause)];
  }
};

}  // namespace umcg
