// SPDX-License-Identifier: MIT
#pragma once

// Starting a program: posix_spawn(3), with the descriptors, directory, group and signals that a
// child of ours has.

#include <sys/types.h>

#include <array>
#include <string>
#include <system_error>
#include <vector>

#include "base/unique_fd.hpp"
#include "umcg/os/child.hpp"

namespace umcg::os {

struct spawned {
  pid_t id = 0;
  base::unique_fd ended;                     // a pidfd
  std::array<base::unique_fd, 3> ends = {};  // ours, of the streams that are piped
};

// Blocks the calling worker or thread until the program runs; whatever scopes say, since it cannot
// be ended. Errors: those of child::start(), of the system category. There is no process then.
spawned spawn(const std::vector<std::string>& arguments, const child_options& options,
              std::error_code& error);

}  // namespace umcg::os
