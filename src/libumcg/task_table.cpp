// SPDX-License-Identifier: MIT
#include "libumcg/task_table.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <new>

#include "base/short_lock.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::libumcg {

thread_local constinit task* current_task = nullptr;

namespace {

constexpr std::size_t tasks_per_chunk = 256;
constexpr std::size_t chunks_max = 1U << 15;  // 8 million tasks
constexpr int generation_shift = 24;          // an id: generation, then slot + 1

using chunk = std::array<task, tasks_per_chunk>;

// Constant-initialised and never destroyed: threads may end after static destructors have run.
struct table {
  std::array<std::atomic<chunk*>, chunks_max> chunks{};
  base::short_lock lock;
  task* free UMCG_GUARDED_BY(lock) = nullptr;
  std::uint32_t used UMCG_GUARDED_BY(lock) = 0;
};
constinit table tasks;

task* take_free() noexcept {
  const preempt_guard library_code(current_task);
  base::short_guard guard(tasks.lock);
  task* taken = tasks.free;
  if (taken != nullptr) tasks.free = taken->next;
  return taken;
}

task* take_new(chunk* spare) noexcept {
  const preempt_guard library_code(current_task);
  base::short_guard guard(tasks.lock);
  const std::uint32_t slot = tasks.used;
  const std::size_t at = slot / tasks_per_chunk;
  if (at >= chunks_max) return nullptr;
  chunk* home = tasks.chunks[at].load();
  if (home == nullptr) {
    if (spare == nullptr) return nullptr;
    home = spare;
    tasks.chunks[at].store(home);
  }
  ++tasks.used;
  task& made = (*home)[slot % tasks_per_chunk];
  made.slot = slot;
  return &made;
}

}  // namespace

task* allocate_task() noexcept {
  if (task* reused = take_free(); reused != nullptr) return reused;
  if (task* made = take_new(nullptr); made != nullptr) return made;
  chunk* spare = new (std::nothrow) chunk;  // outside the lock: malloc may block
  if (spare == nullptr) return nullptr;
  task* made = take_new(spare);
  // Somebody else may have brought a chunk first; ours is then not needed.
  if (made == nullptr || tasks.chunks[made->slot / tasks_per_chunk].load() != spare) delete spare;
  return made;
}

void free_task(task& dead) noexcept {
  dead.generation.fetch_add(1);
  dead.tag.store(0);
  dead.kind = task_kind::none;
  dead.user = nullptr;
  const preempt_guard library_code(current_task);
  base::short_guard guard(tasks.lock);
  dead.next = tasks.free;
  tasks.free = &dead;
}

task* task_in_slot(std::uint32_t slot) noexcept {
  const std::size_t at = slot / tasks_per_chunk;
  chunk* const home = at < chunks_max ? tasks.chunks[at].load() : nullptr;
  return home != nullptr ? &(*home)[slot % tasks_per_chunk] : nullptr;
}

void lock_task_table() noexcept UMCG_UNCHECKED { tasks.lock.lock(); }
void unlock_task_table() noexcept UMCG_UNCHECKED { tasks.lock.unlock(); }

std::intptr_t id_of(const task& who) noexcept { return id_of(who, who.generation.load()); }

std::intptr_t id_of(const task& who, std::uint64_t generation) noexcept {
  return static_cast<std::intptr_t>((generation << generation_shift) | (who.slot + 1));
}

task_reference find_task(std::intptr_t id) noexcept {
  const auto bits = static_cast<std::uint64_t>(id);
  const std::uint64_t slot = (bits & ((1U << generation_shift) - 1)) - 1;
  if (id <= 0 || slot / tasks_per_chunk >= chunks_max) return {};
  chunk* const home = tasks.chunks[slot / tasks_per_chunk].load();
  if (home == nullptr) return {};
  task& who = (*home)[slot % tasks_per_chunk];
  return {&who, bits >> generation_shift, who.state.life()};
}

task_reference refer_to(task& who) noexcept {
  return {&who, who.generation.load(), who.state.life()};
}

}  // namespace umcg::libumcg
