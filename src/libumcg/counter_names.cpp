// SPDX-License-Identifier: MIT
#include "umcg/counters.hpp"

namespace umcg {

const char* name_of(wait_reason reason) noexcept {
  constexpr std::array<const char*, wait_reasons> names = {"something else",
                                                           "sleep",
                                                           "accept",
                                                           "connect",
                                                           "receive",
                                                           "send",
                                                           "send, receive",
                                                           "read",
                                                           "write",
                                                           "readable",
                                                           "umcg_wait",
                                                           "umcg_swap",
                                                           "join",
                                                           "mutex",
                                                           "shared mutex",
                                                           "condition variable",
                                                           "semaphore",
                                                           "gate",
                                                           "channel",
                                                           "pthread mutex",
                                                           "pthread condition",
                                                           "blocking region",
                                                           "file"};
  const auto at = static_cast<std::size_t>(reason);
  return names[at < names.size() ? at : 0];
}

const char* name_of(handoff_cause cause) noexcept {
  constexpr std::array<const char*, handoff_causes> names = {"blocking region", "system call",
                                                             "page fault", "quantum"};
  const auto at = static_cast<std::size_t>(cause);
  return names[at < names.size() ? at : 0];
}

}  // namespace umcg
