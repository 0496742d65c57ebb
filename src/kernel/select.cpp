// SPDX-License-Identifier: MIT
#include "kernel/select.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <new>
#include <utility>

#include "kernel/futex/futex_half.hpp"
#include "kernel/native/native_half.hpp"
#include "kernel/usermode/thread_pointer.hpp"
#include "kernel/usermode/usermode_half.hpp"

namespace umcg::kernel {

namespace {

constexpr std::array<std::string_view, 4> names = {"auto", "usermode", "futex", "native"};

choice usermode_choice() {
  std::string problem;
  libumcg::half* half = usermode::usermode_half(problem);
  if (half == nullptr) return {nullptr, "kernel half usermode does not work here: " + problem};
  return {half, std::string("kernel half usermode, thread pointer by ") +
                    usermode::name_of(usermode::thread_pointer_method_in_use())};
}

choice futex_choice(std::string why) {
  return {&futex::futex_half(), "kernel half futex" + std::move(why)};
}

// Only ever by name: see handshake.hpp.
choice native_choice() {
  std::string problem;
  libumcg::half* half = native::native_half(problem);
  if (half == nullptr) return {nullptr, "kernel half native does not work here: " + problem};
  return {half, "kernel half native, as asked for"};
}

}  // namespace

bool is_half_name(std::string_view name) noexcept {
  return std::ranges::find(names, name) != names.end();
}

choice select_half(std::string_view name) {
  if (name == "futex") return futex_choice(", as asked for");
  if (name == "usermode") return usermode_choice();
  if (name == "native") return native_choice();
  if (name == "auto") {
    choice best = usermode_choice();
    return best.half != nullptr ? best : futex_choice(": " + best.reason);
  }
  return {nullptr, "kernel half \"" + std::string(name) +
                       "\" is not known: use auto, usermode, futex or native"};
}

}  // namespace umcg::kernel

namespace umcg::libumcg {

namespace {

std::atomic<const kernel::choice*> default_choice{nullptr};
// Why the half that was asked for last could not be had. Kept for ever: callers may keep the text.
struct refusal {
  std::string reason;
  const refusal* earlier;
};
std::atomic<const refusal*> refused{nullptr};

// The first to choose decides.
const kernel::choice* choose(std::string_view name) {
  auto* made = new kernel::choice(kernel::select_half(name));
  const kernel::choice* before = nullptr;
  if (default_choice.compare_exchange_strong(before, made)) return made;
  delete made;
  return before;
}

const kernel::choice& chosen() noexcept {
  const kernel::choice* choice = default_choice.load();
  return choice != nullptr ? *choice : *choose("auto");
}

}  // namespace

half* default_half() noexcept { return chosen().half; }

const char* default_half_reason() noexcept {
  const refusal* last = refused.load();
  if (default_choice.load() == nullptr && last != nullptr) return last->reason.c_str();
  return chosen().reason.c_str();
}

int choose_default_half(std::string_view name) noexcept {
  if (!kernel::is_half_name(name)) return EINVAL;
  kernel::choice wanted = kernel::select_half(name);
  if (wanted.half != nullptr) return choose(name)->half == wanted.half ? 0 : EBUSY;
  auto* kept = new (std::nothrow) refusal{std::move(wanted.reason), refused.load()};
  if (kept != nullptr) refused.store(kept);
  return ENOTSUP;
}

}  // namespace umcg::libumcg
