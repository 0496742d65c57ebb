// SPDX-License-Identifier: MIT
#pragma once

// Every task of the process, by id. An id is a slot number and a generation: it stays valid memory
// for ever and stops meaning anybody once its thread has ended. Slots are used again; generations
// are not.

#include <cstdint>

#include "libumcg/task.hpp"

namespace umcg::libumcg {

// A new task for the calling thread or a new worker; null when memory is exhausted. Its kind is
// none.
task* allocate_task() noexcept;
// Ends the task's generation and gives its slot back. The task must not be registered.
void free_task(task& dead) noexcept;

// Whoever has been or is in that slot; null when no such slot was ever used. Without a lock.
task* task_in_slot(std::uint32_t slot) noexcept;

// Around a fork, so that the child finds the table whole.
void lock_task_table() noexcept;
void unlock_task_table() noexcept;

std::intptr_t id_of(const task& who) noexcept;
std::intptr_t id_of(const task& who, std::uint64_t generation) noexcept;

// The task behind an id, the generation it was asked for, and its life when it was found; null when
// no such slot was ever used. Whoever acts on it looks whether it is current, and passes the life
// on to a move of its state word, which fails if the thread has ended or registered anew meanwhile.
struct task_reference {
  task* who = nullptr;
  std::uint64_t generation = 0;
  std::uint64_t life = 0;

  bool current() const noexcept { return who != nullptr && who->generation.load() == generation; }
};
task_reference find_task(std::intptr_t id) noexcept;
// To a task that is registered and stays it for the length of the call.
task_reference refer_to(task& who) noexcept;

}  // namespace umcg::libumcg
