// SPDX-License-Identifier: MIT
#pragma once

// What the file system says of a file: stat(2), in the words of this library.

#include <sys/types.h>

#include <chrono>
#include <cstdint>

namespace umcg::os {

enum class file_type : std::uint8_t {
  unknown,
  regular,
  directory,
  symbolic_link,
  fifo,
  socket,
  block_device,
  character_device,
};

struct file_status {
  file_type type = file_type::unknown;
  mode_t permissions = 0;  // with the set-user-id, set-group-id and sticky bits: 07777
  std::uint64_t size = 0;  // bytes
  std::uint32_t links = 0;
  uid_t owner = 0;
  gid_t group = 0;
  std::uint64_t inode = 0;
  // The last change of the contents.
  std::chrono::sys_time<std::chrono::nanoseconds> modified;
};

}  // namespace umcg::os
