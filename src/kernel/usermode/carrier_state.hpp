// SPDX-License-Identifier: MIT
#pragma once

// Whether the kernel thread of a server may be used for a hand-off. Once its server has been handed
// to another carrier it hosts a worker that blocks, and then nobody:
//
//   busy      --become_available--> available  by itself, when it hosts nobody any more
//   available --take-->             busy       a hand-off, which gives it the server
//   busy      --want-->             wanted     its server is to go home, when it is free
//   available --want-->             busy       its server goes home now: the caller hands it over
//   wanted    --become_available--> busy       with its server, without a rest
//
// Whoever makes it busy, and nobody else, may call it. tests/model/carrier_model explores this, and
// finds a lost server when the home does not look for a wish or the server not for rest. Carriers
// that are nobody's home are always busy: they wait in a list instead.

#include <atomic>
#include <cstdint>

namespace umcg::kernel::usermode {

class carrier_state {
 public:
  // False: its server waits for it and is to run at once.
  bool become_available() noexcept {
    std::uint32_t expected = busy;
    if (word_.compare_exchange_strong(expected, available)) return true;
    word_.store(busy);
    return false;
  }

  bool take() noexcept {
    std::uint32_t expected = available;
    return word_.compare_exchange_strong(expected, busy);
  }

  // True: it hosts nobody, and the caller hands it its server.
  bool want() noexcept {
    std::uint32_t expected = busy;
    if (word_.compare_exchange_strong(expected, wanted)) return false;
    word_.store(busy);
    return true;
  }

 private:
  enum : std::uint32_t { busy, available, wanted };

  std::atomic<std::uint32_t> word_{busy};
};

}  // namespace umcg::kernel::usermode
