// SPDX-License-Identifier: MIT
#include "kernel/select.hpp"

#include "kernel/usermode/thread_pointer.hpp"
#include "kernel/usermode/usermode_half.hpp"

namespace umcg::kernel {

choice select_half(std::string_view name) {
  if (name != "auto" && name != "usermode") {
    return {nullptr, "kernel half \"" + std::string(name) +
                         "\" is not available in this build: use auto or usermode"};
  }
  std::string problem;
  libumcg::half* half = usermode::usermode_half(problem);
  if (half == nullptr) return {nullptr, "no kernel half works on this machine: " + problem};
  return {half, std::string("kernel half usermode, thread pointer by ") +
                    usermode::name_of(usermode::thread_pointer_method_in_use())};
}

}  // namespace umcg::kernel

namespace umcg::libumcg {

namespace {

const kernel::choice& default_choice() noexcept {
  static const kernel::choice chosen = kernel::select_half("auto");
  return chosen;
}

}  // namespace

half* default_half() noexcept { return default_choice().half; }
const char* default_half_reason() noexcept { return default_choice().reason.c_str(); }

}  // namespace umcg::libumcg
