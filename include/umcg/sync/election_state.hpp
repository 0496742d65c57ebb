// SPDX-License-Identifier: MIT
#pragma once

// The shared word of one who waits for channels: which of the queues that it is in lets it go on,
// or whether it goes by itself.
//
//   open --claim--> claimed   whoever has taken one of its places out of a queue, under the lock of
//                             that queue; or the one who waits, for itself
//
// Of all that take its places out, the first claims it, promises what it waits for and signals it.
// The others leave the place alone from then on: the one who waits takes its places out of all
// queues before it goes, under the lock of each, so no place is gone while somebody looks at it.
// Claiming for itself means that it goes without a signal: at its deadline, or because it has found
// by itself what it waits for. If that fails, the signal is on its way and it waits for it, without
// another look at a channel: its value may have been received, and the channel be gone.
//
// tests/model/sync_select_model and sync_channel_model explore this class, and variants that lack
// one part each.

#include <atomic>
#include <cstdint>

namespace umcg::sync {

class election_state {
 public:
  constexpr election_state() noexcept = default;
  // For models.
  explicit constexpr election_state(bool claimed) noexcept : claimed_(claimed) {}
  bool claimed() const noexcept { return claimed_.load(); }

  // True for the first only.
  bool claim() noexcept { return !claimed_.exchange(true); }

 private:
  std::atomic<bool> claimed_{false};
};

}  // namespace umcg::sync
