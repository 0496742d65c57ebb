// SPDX-License-Identifier: MIT
#include "kernel/usermode/pending_signal.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/raw_syscall.hpp"
#include "kernel/usermode/task_file.hpp"
#include "libumcg/preemption.hpp"

namespace umcg::kernel::usermode {

namespace {

constexpr std::uint64_t not_known = ~std::uint64_t{0};

// Of the line "SigPnd:\t0000000000000000\n", if all of it is there.
bool find_pending(std::string_view status, std::uint64_t& pending) noexcept {
  constexpr std::string_view name = "\nSigPnd:\t";
  const std::size_t line = status.find(name);
  if (line == status.npos || status.find('\n', line + 1) == status.npos) return false;
  std::from_chars(status.data() + line + name.size(), status.data() + status.size(), pending, 16);
  return true;
}

// The signals that wait at one kernel thread, from /proc/self/task/TID/status (proc_pid_status(5)):
// bit n - 1 for signal n. The line stands behind the groups, of which there may be many.
std::uint64_t pending_at(pid_t kernel_thread) noexcept {
  constexpr std::size_t line_bytes_max = 64;
  const int file = open_task_file(kernel_thread, "status");
  if (file < 0) return not_known;
  std::uint64_t found = not_known;
  std::array<char, 2048> text;
  std::size_t kept = 0;  // of what was read before: the line may begin in it
  for (;;) {
    const long size = base::raw_syscall(SYS_read, file, text.data() + kept, text.size() - kept);
    if (size <= 0) break;
    const std::string_view status(text.data(), kept + static_cast<std::size_t>(size));
    if (find_pending(status, found)) break;
    const std::string_view end =
        status.substr(status.size() - std::min(status.size(), line_bytes_max));
    kept = end.size();
    std::memmove(text.data(), end.data(), kept);
  }
  base::raw_syscall(SYS_close, file);
  return found;
}

}  // namespace

bool may_signal(carrier& on) noexcept {
  const std::uint32_t taken = on.signals_taken.load();
  const pid_t here = on.kernel_thread.load();
  if (on.signalled == here && taken == on.taken_before) {
    const std::uint64_t ours = std::uint64_t{1} << (libumcg::preemption_signal() - 1);
    if ((pending_at(here) & ours) != 0) return false;
  }
  on.signalled = 0;
  on.taken_before = taken;  // before the next is sent
  return true;
}

void note_signal(carrier& on) noexcept { on.signalled = on.kernel_thread.load(); }

}  // namespace umcg::kernel::usermode
