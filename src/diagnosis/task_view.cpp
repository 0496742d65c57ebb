// SPDX-License-Identifier: MIT
#include "diagnosis/task_view.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstddef>

#include "base/own_memory.hpp"
#include "kernel/usermode/thread_identity.hpp"
#include "libumcg/task_table.hpp"

namespace umcg::diagnosis {

using libumcg::task;
using libumcg::task_kind;
using libumcg::task_state;

namespace {

std::size_t slots_used() noexcept {
  constexpr std::uint32_t step = 64;
  std::uint32_t end = 0;
  while (libumcg::task_in_slot(end) != nullptr) end += step;
  return end;
}

void copy_fields(const task& copy, task_view& into) noexcept {
  into.id = libumcg::id_of(copy);
  into.kind = copy.kind.load();
  into.state = copy.state.look();
  into.in = copy.in.load();
  into.server = copy.server;
  into.serving = copy.serving;
  into.plug = copy.plug.load();
  into.name = copy.name;
  into.name.back() = '\0';
  into.thread_pointer = copy.thread_pointer;
  into.lost_server = copy.claim.is_taken();
  into.works_at.fill('\0');
  if (copy.works_at != nullptr) {
    const auto text = std::as_writable_bytes(std::span(into.works_at).first<47>());
    base::read_own_memory(reinterpret_cast<std::uintptr_t>(copy.works_at), text);
  }
  if (into.plug != nullptr) into.where = into.plug->find(copy);
}

// What it waits for. The note, and a mutex in it, are there as long as the task makes no move.
void copy_note(const task& copy, task_view& into) noexcept {
  into.waits = false;
  into.lock_owner = 0;
  if (into.in_region()) {
    into.note = {.reason = wait_reason::blocking_region, .since = copy.region_since};
    into.waits = true;
  } else if (!into.runs() && copy.waits_for != nullptr) {
    into.waits = base::read_own_value(reinterpret_cast<std::uintptr_t>(copy.waits_for), into.note);
  }
  if (into.waits && into.note.reason == wait_reason::mutex) {
    constexpr std::uintptr_t flags = 7;
    if (base::read_own_value(into.note.subject, into.lock_owner)) into.lock_owner &= ~flags;
  }
}

// A worker that has lost its server may wait for a mutex where the C library does: in futex(2), for
// ever, as long as the first word of the mutex says that it is locked and wanted.
void look_for_mutex(task_view& who) noexcept {
  constexpr std::uint32_t locked_and_wanted = 2;
  who.in_mutex_since_run = 0;
  if (!who.in_region() || !who.lost_server) return;
  const std::uint64_t times = times_run(who.where.kernel_thread);
  const kernel_place place = find_in_kernel(who.where.kernel_thread);
  if (place.is != kernel_place::where::in_call || place.call != SYS_futex) return;
  const auto [address, operation, value, timeout, unused, unused_too] = place.arguments;
  constexpr std::uint32_t of_this_process = FUTEX_PRIVATE_FLAG;
  const std::uint32_t kind = static_cast<std::uint32_t>(operation) & ~of_this_process;
  if (kind != FUTEX_WAIT || timeout != 0) return;
  if (static_cast<std::uint32_t>(value) != locked_and_wanted) return;
  who.note.reason = wait_reason::pthread_mutex;
  who.note.subject = address;
  who.in_mutex_since_run = times;
}

bool waits_for_pthread_mutex(const task_view& one) noexcept {
  return one.waits && one.note.reason == wait_reason::pthread_mutex;
}

struct thread_name {
  std::uint32_t id;  // as the C library has it
  std::uintptr_t thread_pointer;
};

}  // namespace

bool task_view::has_not_moved() const noexcept {
  if (who->state.stamp() != stamp) return false;
  return in_mutex_since_run == 0 || times_run(where.kernel_thread) == in_mutex_since_run;
}

bool look_at(task& who, task_view& into) noexcept {
  constexpr int tries_max = 4;
  alignas(task) std::array<std::byte, sizeof(task)> memory;
  const task& copy = *reinterpret_cast<const task*>(memory.data());
  for (int tries = 0; tries < tries_max; ++tries) {
    const std::uint64_t before = who.state.stamp();
    if ((who.state.look() & task_state::state_mask) == task_state::none) return false;
    base::read_own_memory(reinterpret_cast<std::uintptr_t>(&who), memory);
    into.who = &who;
    into.stamp = before;
    copy_fields(copy, into);
    copy_note(copy, into);
    if (who.state.stamp() == before) return into.kind != task_kind::none;
  }
  // It moves faster than we look: what was seen last, but not what it has waited for.
  into.waits = false;
  return into.kind != task_kind::none;
}

bool walk_parked(const task_view& view, call_stack& into) noexcept {
  walk_frames(view.where.frame, view.where.stack_end, into);
  return view.has_not_moved();
}

all_tasks::all_tasks() noexcept : views_(slots_used()), by_thread_pointer_(slots_used()) {
  task_view view;
  for (std::uint32_t slot = 0; slot < views_.capacity(); ++slot) {
    task* const who = libumcg::task_in_slot(slot);
    if (who == nullptr) break;
    if (!look_at(*who, view)) continue;
    look_for_mutex(view);
    by_thread_pointer_.push(static_cast<std::uint32_t>(views_.size()));
    views_.push(view);
  }
  std::ranges::sort(by_thread_pointer_.all(), {},
                    [this](std::uint32_t at) { return views_[at].thread_pointer; });
  if (std::ranges::any_of(views_.all(), waits_for_pthread_mutex)) find_owners_by_thread_id();
}

// A mutex of the C library names its owner by the id in the thread's TCB.
void all_tasks::find_owners_by_thread_id() noexcept {
  mapped_array<thread_name> names(views_.size());
  for (const task_view& each : views_.all()) {
    const std::uintptr_t address = kernel::usermode::thread_id_address(each.thread_pointer);
    thread_name name{0, each.thread_pointer};
    if (address != 0 && base::read_own_value(address, name.id)) names.push(name);
  }
  std::ranges::sort(names.all(), {}, &thread_name::id);
  for (task_view& each : views_.all()) {
    if (!waits_for_pthread_mutex(each)) continue;
    std::uint32_t owner = 0;
    const std::uintptr_t field = each.note.subject + offsetof(pthread_mutex_t, __data.__owner);
    if (!base::read_own_value(field, owner) || owner == 0) continue;
    const auto found = std::ranges::lower_bound(names.all(), owner, {}, &thread_name::id);
    if (found == names.all().end() || found->id != owner) continue;
    each.lock_owner = found->thread_pointer;
  }
}

task_view* all_tasks::find_by_thread_pointer(std::uintptr_t thread_pointer) noexcept {
  const auto order = by_thread_pointer_.all();
  const auto at = std::ranges::lower_bound(order, thread_pointer, {}, [this](std::uint32_t each) {
    return views_[each].thread_pointer;
  });
  if (at == order.end() || views_[*at].thread_pointer != thread_pointer) return nullptr;
  return &views_[*at];
}

// They are in the order of their slots.
task_view* all_tasks::find(const task* who) noexcept {
  if (who == nullptr) return nullptr;
  const auto all = views_.all();
  const auto at = std::ranges::lower_bound(all, who->slot, {},
                                           [](const task_view& each) { return each.who->slot; });
  return at != all.end() && at->who == who ? &*at : nullptr;
}

}  // namespace umcg::diagnosis
