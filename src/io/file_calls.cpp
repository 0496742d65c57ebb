// SPDX-License-Identifier: MIT
#include "io/file_calls.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

#include <cerrno>

#include "base/assert.hpp"
#include "base/raw_syscall.hpp"
#include "io/perform.hpp"
#include "io/reactor.hpp"

namespace umcg::io {

namespace {

int on_this_thread(const operation& wanted) noexcept {
  int result;
  do {
    result = sched::cancelled_here() ? -ECANCELED : call_directly(wanted);
  } while (result == -EINTR);
  return result;
}

int perform_call(action what, int fd, const file_call& call, std::error_code& error) {
  operation wanted(what, fd);
  wanted.call = &call;
  if (reactor_here() == nullptr) {
    wanted.result = on_this_thread(wanted);
  } else {
    perform(wanted, deadline::never());
  }
  error.clear();
  if (wanted.result < 0) error.assign(-wanted.result, std::system_category());
  return wanted.result;
}

}  // namespace

int call_directly(const operation& wanted) noexcept {
  using base::raw_syscall;
  const file_call& call = *wanted.call;
  long result = -EINVAL;
  switch (wanted.what) {
    case action::open:
      result = raw_syscall(SYS_openat, AT_FDCWD, call.path, call.flags, call.mode);
      break;
    case action::sync:
      result = raw_syscall(call.data_only ? SYS_fdatasync : SYS_fsync, wanted.fd);
      break;
    case action::status:
      result =
          raw_syscall(SYS_statx, wanted.fd, call.path, call.flags, STATX_BASIC_STATS, call.into);
      break;
    case action::rename:
      result = raw_syscall(SYS_renameat2, AT_FDCWD, call.path, AT_FDCWD, call.other_path, 0);
      break;
    case action::remove:
      result = raw_syscall(SYS_unlinkat, AT_FDCWD, call.path, call.flags);
      break;
    case action::make_directory:
      result = raw_syscall(SYS_mkdirat, AT_FDCWD, call.path, call.mode);
      break;
    default:
      UMCG_ASSERT(false && "not a file call");
  }
  return static_cast<int>(result);
}

int open_file(const char* path, int flags, mode_t mode, std::error_code& error) {
  const int fd = perform_call(action::open, AT_FDCWD,
                              {.path = path, .flags = flags | O_CLOEXEC, .mode = mode}, error);
  return error ? -1 : fd;
}

void sync_file(descriptor fd, bool data_only, std::error_code& error) {
  perform_call(action::sync, fd, {.data_only = data_only}, error);
}

void status_of(descriptor fd, struct statx& into, std::error_code& error) {
  perform_call(action::status, fd, {.path = "", .flags = AT_EMPTY_PATH, .into = &into}, error);
}

void status_of(const char* path, int flags, struct statx& into, std::error_code& error) {
  perform_call(action::status, AT_FDCWD, {.path = path, .flags = flags, .into = &into}, error);
}

void rename_file(const char* from, const char* to, std::error_code& error) {
  perform_call(action::rename, AT_FDCWD, {.path = from, .other_path = to}, error);
}

void remove_file(const char* path, int flags, std::error_code& error) {
  perform_call(action::remove, AT_FDCWD, {.path = path, .flags = flags}, error);
}

void make_directory(const char* path, mode_t mode, std::error_code& error) {
  perform_call(action::make_directory, AT_FDCWD, {.path = path, .mode = mode}, error);
}

}  // namespace umcg::io
