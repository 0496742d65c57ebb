// SPDX-License-Identifier: MIT
#pragma once

// Chooses the kernel half: by name, or the first that works on this machine.

#include <string>
#include <string_view>

#include "libumcg/half.hpp"

namespace umcg::kernel {

struct choice {
  libumcg::half* half = nullptr;  // null: none
  std::string reason;             // one line for the log: what was chosen and why, or what to do
};

// `name`: "auto", "usermode", "futex", "native".
bool is_half_name(std::string_view name) noexcept;
choice select_half(std::string_view name);

}  // namespace umcg::kernel
