// SPDX-License-Identifier: MIT
#include "kernel/usermode/task_file.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

#include <array>
#include <charconv>

#include "base/raw_syscall.hpp"

namespace umcg::kernel::usermode {

int open_task_file(pid_t kernel_thread, std::string_view name) noexcept {
  constexpr std::string_view front = "/proc/self/task/";
  constexpr std::size_t name_bytes_max = 16;
  std::array<char, front.size() + sizeof "4294967295/" + name_bytes_max> path{};
  char* at = path.data() + front.copy(path.data(), front.size());
  at = std::to_chars(at, path.data() + path.size() - name_bytes_max, kernel_thread).ptr;
  *at++ = '/';
  name.copy(at, name_bytes_max - 1);
  constexpr int how = O_RDONLY | O_CLOEXEC;
  return static_cast<int>(base::raw_syscall(SYS_openat, AT_FDCWD, path.data(), how, 0));
}

}  // namespace umcg::kernel::usermode
