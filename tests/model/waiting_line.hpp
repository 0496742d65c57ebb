// SPDX-License-Identifier: MIT
#pragma once

// Waiters in order of arrival, in a state of a model of sync/.

#include <compare>
#include <cstdint>

namespace umcg::model {

template <int most>
struct waiting_line {
  std::uint8_t length;
  std::uint8_t members[most];
  auto operator<=>(const waiting_line&) const = default;

  bool empty() const { return length == 0; }
  int first() const { return members[0]; }
  void push_back(int who) { members[length++] = static_cast<std::uint8_t>(who); }
  void push_front(int who) {
    for (int at = length++; at > 0; --at) members[at] = members[at - 1];
    members[0] = static_cast<std::uint8_t>(who);
  }
  // False: it is not here.
  bool remove(int who) {
    int at = 0;
    while (at < length && members[at] != who) ++at;
    if (at == length) return false;
    for (--length; at < length; ++at) members[at] = members[at + 1];
    members[length] = 0;
    return true;
  }
  int pop() {
    const int taken = first();
    remove(taken);
    return taken;
  }
};

// A set of them.
constexpr std::uint8_t bit(int who) { return static_cast<std::uint8_t>(1U << who); }

}  // namespace umcg::model
