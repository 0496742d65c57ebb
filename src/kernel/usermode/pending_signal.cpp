// SPDX-License-Identifier: MIT
#include "kernel/usermode/pending_signal.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "base/raw_syscall.hpp"
#include "libumcg/preemption.hpp"

namespace umcg::kernel::usermode {

namespace {

// The signals that wait at one kernel thread, from /proc/self/task/TID/status (proc_pid_status(5)):
// bit n - 1 for signal n. All, where they cannot be known.
std::uint64_t pending_at(pid_t kernel_thread) noexcept {
  constexpr std::uint64_t not_known = ~std::uint64_t{0};
  std::array<char, 40> path{};
  constexpr std::string_view front = "/proc/self/task/";
  constexpr std::string_view back = "/status";
  char* at = path.data() + front.copy(path.data(), front.size());
  at = std::to_chars(at, path.data() + path.size() - back.size(), kernel_thread).ptr;
  back.copy(at, back.size());

  const long file = base::raw_syscall(SYS_openat, AT_FDCWD, path.data(), O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return not_known;
  std::array<char, 2048> text;
  const long size = base::raw_syscall(SYS_read, file, text.data(), text.size());
  base::raw_syscall(SYS_close, file);
  const std::string_view status(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);

  constexpr std::string_view name = "SigPnd:\t";
  const std::size_t line = status.find(name);
  if (line == status.npos) return not_known;
  std::uint64_t found = not_known;
  std::from_chars(status.data() + line + name.size(), status.data() + status.size(), found, 16);
  return found;
}

}  // namespace

bool took_its_signal(carrier& on) noexcept {
  if (!on.was_signalled) return true;
  const std::uint64_t ours = std::uint64_t{1} << (libumcg::preemption_signal() - 1);
  if ((pending_at(on.kernel_thread.load()) & ours) != 0) return false;
  on.was_signalled = false;
  return true;
}

void note_signal(carrier& on) noexcept { on.was_signalled = true; }

}  // namespace umcg::kernel::usermode
