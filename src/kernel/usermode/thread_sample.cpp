// SPDX-License-Identifier: MIT
#include "kernel/usermode/thread_sample.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "base/raw_syscall.hpp"
#include "kernel/usermode/task_file.hpp"

namespace umcg::kernel::usermode {

bool thread_status::works() noexcept {
  const std::atomic<pid_t> self{static_cast<pid_t>(base::raw_syscall(SYS_gettid))};
  thread_status own;
  if (const int failed = own.open(self)) return failed == EMFILE || failed == ENFILE;
  const bool known = own.look().what != thread_sample::state::not_known;
  ::close(own.file_.load());
  return known;
}

int thread_status::open(const std::atomic<pid_t>& whose) noexcept {
  base::short_guard guard(lock_);
  is_open_.store(false);
  const int opened = open_task_file(whose.load(), "syscall");
  if (opened < 0) return -opened;
  if (file_.load() < 0) {
    file_.store(opened);
    is_open_.store(true);
    return 0;
  }
  // Not above the limit on descriptors, which may have been lowered.
  const int failed = ::dup3(opened, file_.load(), O_CLOEXEC) >= 0 ? 0 : errno;
  ::close(opened);
  is_open_.store(failed == 0);
  return failed;
}

thread_sample thread_status::look() const noexcept {
  if (!is_open()) return {};
  const int file = file_.load();
  std::array<char, 256> text;
  const long size = base::raw_syscall(SYS_pread64, file, text.data(), text.size(), 0);
  if (size <= 0) return {};
  if (text[0] == 'r') return {thread_sample::state::running, -1};
  thread_sample found{thread_sample::state::sleeping, -1};
  const auto read = std::from_chars(text.data(), text.data() + size, found.system_call);
  return read.ec == std::errc() ? found : thread_sample{};
}

}  // namespace umcg::kernel::usermode
