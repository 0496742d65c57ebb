// SPDX-License-Identifier: MIT
#include "posix/lines.hpp"

#include <dlfcn.h>
#include <sys/mman.h>

#include <new>

#include "posix/c_library.hpp"
#include "umcg/posix.hpp"

namespace umcg::posix {

constinit std::atomic<lines*> lines_in_use{nullptr};

namespace {

constinit const char* problem = "the library has not been loaded yet";

// Whether calls by that name come here, and not to somebody who stands in front of us.
bool comes_here(const char* name) noexcept {
  Dl_info its{};
  Dl_info ours{};
  void* const function = ::dlsym(RTLD_DEFAULT, name);
  return function != nullptr && ::dladdr(function, &its) != 0 && ::dladdr(&problem, &ours) != 0 &&
         its.dli_fbase == ours.dli_fbase;
}

// A worker that waits in a line needs everybody else's call: all functions are ours, or none.
const char* look_for_others() noexcept {
  for (const char* name :
       {"pthread_mutex_lock", "pthread_mutex_timedlock", "pthread_mutex_clocklock",
        "pthread_mutex_unlock", "pthread_cond_signal", "pthread_cond_broadcast",
        "pthread_cond_wait", "pthread_cond_timedwait", "pthread_cond_clockwait"}) {
    if (!comes_here(name)) return "another library stands in front of the C library's functions";
  }
  return nullptr;
}

const char* make_lines() noexcept {
  void* const memory =
      ::mmap(nullptr, sizeof(lines), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return "there is no memory for the lines";
  if (::madvise(memory, sizeof(lines), MADV_WIPEONFORK) != 0) {
    ::munmap(memory, sizeof(lines));
    return "the kernel does not empty memory on fork (Linux 4.14 does)";
  }
  lines_in_use.store(new (memory) lines);
  return nullptr;
}

[[gnu::constructor]] void start() noexcept {
  problem = c_library::find();
  if (problem == nullptr) problem = look_for_others();
  if (problem == nullptr) problem = c_library::examine();
  if (problem == nullptr) problem = make_lines();
}

}  // namespace

}  // namespace umcg::posix

namespace umcg {

[[gnu::visibility("default")]] const char* posix_locks_problem() noexcept { return posix::problem; }

}  // namespace umcg
