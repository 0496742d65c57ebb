// SPDX-License-Identifier: MIT
// The contract's world for the native half over a fake kernel: real threads, and nothing to choose.
#include <cerrno>
#include <string>

#include "kernel/native/native_half.hpp"
#include "unit/kernel/native/fake_kernel.hpp"

namespace umcg::libumcg {

namespace {

half& the_half() noexcept {
  // Never destroyed: threads are asleep in the kernel to the end.
  static auto& machine = *new testing::fake_kernel;
  static half* const made = [] {
    std::string problem;
    return kernel::native::make_native_half(machine, problem);
  }();
  return *made;
}

}  // namespace

half* default_half() noexcept { return &the_half(); }
const char* default_half_reason() noexcept { return "kernel half native, over a fake kernel"; }
int choose_default_half(std::string_view name) noexcept {
  if (name == "native") return 0;
  return name == "futex" ? EBUSY : EINVAL;
}

}  // namespace umcg::libumcg
