// SPDX-License-Identifier: MIT
#pragma once

// Calls on files and names that transfer no bytes. They have no deadlines of their own: a disk
// answers when it does. On a worker over io_uring each is an operation, which the kernel gives to a
// thread of its own if it has to wait; over epoll, which knows nothing of files, it is made in a
// blocking region; on a plain thread it is made directly.
//
// Deadlines and cancellations of scopes end a call where the kernel can: over io_uring, for as long
// as it has not begun, or where it can be interrupted (the open of a FIFO). Elsewhere a cancelled
// scope keeps it from beginning. A call that has ended early has done nothing.
//
// Errors: std::error_code values of the system category, as the kernel reports them. Paths end with
// a zero, and relative ones begin at the current directory.

#include <sys/stat.h>

#include <system_error>

#include "io/operations.hpp"

namespace umcg::io {

struct operation;

// The arguments. Which of these count depends on the operation's action.
struct file_call {
  const char* path = nullptr;
  const char* other_path = nullptr;  // rename: the new name
  int flags = 0;                     // as those of openat(2), statx(2) or unlinkat(2)
  mode_t mode = 0;
  bool data_only = false;  // sync
  struct statx* into = nullptr;
};

// A new close-on-exec descriptor; -1 with an error. `flags` and `mode` as for open(2).
int open_file(const char* path, int flags, mode_t mode, std::error_code& error);

// fsync(2), or fdatasync(2) if `data_only`.
void sync_file(descriptor fd, bool data_only, std::error_code& error);

// What is known of an open file, or of a name: with AT_SYMLINK_NOFOLLOW in `flags` of a symbolic
// link itself.
void status_of(descriptor fd, struct statx& into, std::error_code& error);
void status_of(const char* path, int flags, struct statx& into, std::error_code& error);

void rename_file(const char* from, const char* to, std::error_code& error);
// AT_REMOVEDIR in `flags`: an empty directory.
void remove_file(const char* path, int flags, std::error_code& error);
void make_directory(const char* path, mode_t mode, std::error_code& error);

// Makes the call of an operation whose action is_file_call() on the calling thread, and blocks it.
// A negated error number; EINTR: a signal came first.
int call_directly(const operation& wanted) noexcept;

}  // namespace umcg::io
