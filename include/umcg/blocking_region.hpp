// SPDX-License-Identifier: MIT
#pragma once

// Marks a stretch of a worker's code that blocks its kernel thread.

#include "umcg/libumcg.h"

namespace umcg {

// While one of these lives, the calling worker has no server: that runs other workers, on another
// kernel thread, and the worker may call whatever blocks - a library that does its own I/O,
// fsync(2), a pthread lock. At the end the worker waits until a server runs it again.
//
//   const umcg::blocking_region region;
//   ::fsync(fd);
//
// Costs a few microseconds on each side: for what may take longer than that. Blocking calls of this
// library work inside as on a plain thread. Regions nest; the outermost counts. errno is kept. No
// effect on a plain thread, and none where no further kernel thread can be had: the worker then
// blocks its server. See umcg_block_begin().
class [[nodiscard]] blocking_region {
 public:
  blocking_region() noexcept { umcg_block_begin(); }
  ~blocking_region() { umcg_block_end(); }
  blocking_region(const blocking_region&) = delete;
  blocking_region& operator=(const blocking_region&) = delete;
};

}  // namespace umcg
