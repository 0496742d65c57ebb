// SPDX-License-Identifier: MIT
// What the kernel says about a thread that it has stopped.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/unique_fd.hpp"
#include "diagnosis/inquiry.hpp"

namespace umcg::diagnosis {

namespace {

using path_text = std::array<char, 64>;

path_text path_of(pid_t kernel_thread, std::string_view file) noexcept {
  path_text path{"/proc/self/task/"};
  char* const end = path.data() + path.size();
  const auto number =
      std::to_chars(path.data() + std::string_view(path.data()).size(), end, kernel_thread);
  file.copy(number.ptr, static_cast<std::size_t>(end - number.ptr));
  return path;
}

using proc_text = std::array<char, 512>;

std::string_view read_of(pid_t kernel_thread, std::string_view what, proc_text& into) noexcept {
  const base::unique_fd file(::open(path_of(kernel_thread, what).data(), O_RDONLY | O_CLOEXEC));
  const ssize_t count = file ? ::read(file.get(), into.data(), into.size()) : -1;
  return {into.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

// The next word of `text`, which is taken off it.
std::string_view take_word(std::string_view& text) noexcept {
  const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

std::uintptr_t take_address(std::string_view& text) noexcept {
  std::string_view word = take_word(text);
  if (word.starts_with("0x")) word.remove_prefix(2);
  std::uintptr_t value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value, 16);
  return value;
}

struct named_call {
  long number;
  const char* name;
};

#define UMCG_CALL(name) \
  named_call { SYS_##name, #name }

// Those in which a thread may sleep.
constexpr std::array blocking_calls = {
    UMCG_CALL(read),
    UMCG_CALL(write),
    UMCG_CALL(readv),
    UMCG_CALL(writev),
    UMCG_CALL(pread64),
    UMCG_CALL(pwrite64),
    UMCG_CALL(preadv),
    UMCG_CALL(pwritev),
    UMCG_CALL(preadv2),
    UMCG_CALL(pwritev2),
    UMCG_CALL(sendfile),
    UMCG_CALL(splice),
    UMCG_CALL(tee),
    UMCG_CALL(vmsplice),
    UMCG_CALL(copy_file_range),
    UMCG_CALL(openat),
    UMCG_CALL(close),
    UMCG_CALL(ioctl),
    UMCG_CALL(fcntl),
    UMCG_CALL(flock),
    UMCG_CALL(fsync),
    UMCG_CALL(fdatasync),
    UMCG_CALL(sync),
    UMCG_CALL(syncfs),
    UMCG_CALL(sync_file_range),
    UMCG_CALL(fallocate),
    UMCG_CALL(ftruncate),
    UMCG_CALL(getdents64),
    UMCG_CALL(newfstatat),
    UMCG_CALL(unlinkat),
    UMCG_CALL(renameat2),
    UMCG_CALL(accept),
    UMCG_CALL(accept4),
    UMCG_CALL(connect),
    UMCG_CALL(recvfrom),
    UMCG_CALL(recvmsg),
    UMCG_CALL(recvmmsg),
    UMCG_CALL(sendto),
    UMCG_CALL(sendmsg),
    UMCG_CALL(sendmmsg),
    UMCG_CALL(ppoll),
    UMCG_CALL(pselect6),
    UMCG_CALL(epoll_pwait),
    UMCG_CALL(io_uring_enter),
    UMCG_CALL(nanosleep),
    UMCG_CALL(clock_nanosleep),
    UMCG_CALL(futex),
    UMCG_CALL(wait4),
    UMCG_CALL(waitid),
    UMCG_CALL(rt_sigtimedwait),
    UMCG_CALL(rt_sigsuspend),
    UMCG_CALL(msgrcv),
    UMCG_CALL(msgsnd),
    UMCG_CALL(semtimedop),
    UMCG_CALL(mq_timedreceive),
    UMCG_CALL(mq_timedsend),
    UMCG_CALL(mmap),
    UMCG_CALL(munmap),
    UMCG_CALL(mprotect),
    UMCG_CALL(madvise),
    UMCG_CALL(msync),
    UMCG_CALL(mlock),
    UMCG_CALL(clone),
    UMCG_CALL(execve),
    UMCG_CALL(restart_syscall),
    UMCG_CALL(getrandom),
#if defined(__x86_64__)
    UMCG_CALL(poll),
    UMCG_CALL(select),
    UMCG_CALL(epoll_wait),
    UMCG_CALL(pause),
    UMCG_CALL(open),
    UMCG_CALL(vfork),
#endif
};

#undef UMCG_CALL

}  // namespace

kernel_place find_in_kernel(pid_t kernel_thread) noexcept {
  kernel_place found;
  proc_text text;
  std::string_view rest = read_of(kernel_thread, "/syscall", text);
  if (rest.empty()) return found;
  const std::string_view first = take_word(rest);
  if (first == "running") {
    found.is = kernel_place::where::on_cpu;
    return found;
  }
  std::from_chars(first.data(), first.data() + first.size(), found.call);
  if (found.call >= 0) {
    found.is = kernel_place::where::in_call;
    for (std::uintptr_t& each : found.arguments) each = take_address(rest);
  } else {
    found.is = kernel_place::where::in_fault;
  }
  found.stack_pointer = take_address(rest);
  found.program_counter = take_address(rest);
  return found;
}

// The third number of schedstat.
std::uint64_t times_run(pid_t kernel_thread) noexcept {
  proc_text text;
  std::string_view rest = read_of(kernel_thread, "/schedstat", text);
  take_word(rest);
  take_word(rest);
  const std::string_view third = take_word(rest);
  std::uint64_t times = 0;
  std::from_chars(third.data(), third.data() + third.size(), times);
  return times;
}

const char* name_of_system_call(long number) noexcept {
  const auto found = std::ranges::find(blocking_calls, number, &named_call::number);
  return found != blocking_calls.end() ? found->name : nullptr;
}

}  // namespace umcg::diagnosis
