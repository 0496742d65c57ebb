// SPDX-License-Identifier: MIT

// A dump while stuck workers hold the locks of malloc and of stdio. malloc() is replaced by one
// that a lock guards, as a C library's may: a stuck worker owns it for as long as the dump takes.
#include <dlfcn.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "base/futex.hpp"
#include "diagnosis/attendant.hpp"
#include "umcg/group.hpp"
#include "unit/sched/group_test.hpp"

namespace {

// 1: somebody is stuck with malloc's lock, and whoever else comes waits.
std::atomic<std::uint32_t> malloc_is_stuck{0};
std::atomic<int> waiting_for_malloc{0};

void pass_the_lock() {
  if (malloc_is_stuck.load() == 0) return;
  waiting_for_malloc.fetch_add(1);
  while (malloc_is_stuck.load() != 0) umcg::base::futex_wait(malloc_is_stuck, 1);
  waiting_for_malloc.fetch_sub(1);
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* before, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) {
  pass_the_lock();
  return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  pass_the_lock();
  return __libc_calloc(count, size);
}
void* realloc(void* before, std::size_t size) {
  pass_the_lock();
  return __libc_realloc(before, size);
}
void free(void* memory) {
  pass_the_lock();
  __libc_free(memory);
}
}

namespace umcg {
namespace {

class stuck_locks : public testing::group_test {};

// The text of a file, without malloc.
struct memory_file {
  int fd = ::memfd_create("dump", MFD_CLOEXEC);
  std::array<char, 16384> text{};
  bool contains(const char* part) {
    const ssize_t count = ::pread(fd, text.data(), text.size() - 1, 0);
    text[static_cast<std::size_t>(std::max<ssize_t>(count, 0))] = '\0';
    return std::strstr(text.data(), part) != nullptr;
  }
};

[[gnu::noinline]] void owns_locks(std::atomic<std::uint32_t>& stuck) {
  ::flockfile(stderr);
  ::flockfile(stdout);
  malloc_is_stuck.store(1);
  stuck.store(1);
  while (stuck.load() != 0) base::futex_wait(stuck, 1);
  malloc_is_stuck.store(0);
  base::futex_wake(malloc_is_stuck, INT32_MAX);
  ::funlockfile(stdout);
  ::funlockfile(stderr);
}

TEST_F(stuck_locks, DoNotKeepADumpFromComing) {
  std::atomic<std::uint32_t> stuck{0};
  group running = group::start({.servers = 1});
  memory_file dump;
  const worker one = running.spawn([&] { owns_locks(stuck); }, {.name = "owner"});
  ASSERT_TRUE(testing::becomes_true([&] { return stuck.load() != 0; }));
  const int failed = diagnosis::await_dump(dump.fd);
  // It runs, or has lost its server already.
  const bool names_it = dump.contains("\"owner\": ");
  const bool shows_it = dump.contains("owns_locks");
  const bool has_end = dump.contains("=== umcg: end ===");
  stuck.store(0);
  base::futex_wake(stuck);
  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(names_it) << dump.text.data();
  EXPECT_TRUE(shows_it) << dump.text.data();
  EXPECT_TRUE(has_end) << dump.text.data();
}

// What a name took too long for does not keep the next one from being asked for.
TEST_F(stuck_locks, LeaveReadableNamesToALaterDump) {
  std::atomic<std::uint32_t> stuck{0};
  group running = group::start({.servers = 1});
  {
    const worker one = running.spawn([&] { owns_locks(stuck); });
    ASSERT_TRUE(testing::becomes_true([&] { return stuck.load() != 0; }));
    memory_file raw;
    diagnosis::await_dump(raw.fd);
    const bool is_raw = raw.contains("_ZN4umcg");
    stuck.store(0);
    base::futex_wake(stuck);
    EXPECT_TRUE(is_raw) << raw.text.data();
  }
  std::atomic<std::uint32_t> over{0};
  const worker two = running.spawn([&] {
    while (over.load() == 0) asm volatile("");
  });
  EXPECT_TRUE(testing::becomes_true([] {
    memory_file dump;
    diagnosis::await_dump(dump.fd);
    const bool readable = dump.contains("umcg::sched::worker_record::main");
    ::close(dump.fd);
    return readable;
  }));
  over.store(1);
}

}  // namespace
}  // namespace umcg
