// SPDX-License-Identifier: MIT
#include "diagnosis/deadlock.hpp"

#include "diagnosis/worker_dump.hpp"

namespace umcg::diagnosis {

namespace {

// Who owns the mutex that a task waits for; null when it waits for none, or nobody of ours does.
const task_view* owner_of(const task_view& waiting, all_tasks& tasks) noexcept {
  if (!waiting.waits || waiting.lock_owner == 0 || !waiting.note.until.is_never()) return nullptr;
  return tasks.find_by_thread_pointer(waiting.lock_owner);
}

// Whether one comes back to `start` by going from owner to owner, and it is the first in the table
// of those in the circle: each is then found once.
bool begins_circle(const task_view& start, all_tasks& tasks) noexcept {
  std::size_t steps_left = tasks.views().size();
  for (const task_view* at = owner_of(start, tasks); at != nullptr && steps_left > 0;
       at = owner_of(*at, tasks), --steps_left) {
    if (at == &start) return true;
    if (at->who->slot < start.who->slot) return false;
  }
  return false;
}

// Each was looked at at another moment; one that has been let go on meanwhile has moved.
bool still_stands(const task_view& start, all_tasks& tasks) noexcept {
  const task_view* at = &start;
  do {
    if (!at->has_not_moved()) return false;
    at = owner_of(*at, tasks);
  } while (at != &start);
  return true;
}

}  // namespace

deadlocks::deadlocks(all_tasks& tasks) noexcept : tasks_(tasks), starts_(tasks.views().size()) {
  const auto views = tasks.views();
  for (std::uint32_t at = 0; at < views.size(); ++at) {
    if (begins_circle(views[at], tasks) && still_stands(views[at], tasks)) starts_.push(at);
  }
}

void deadlocks::write(text_writer& out) noexcept {
  for (const std::uint32_t number : starts_.all()) {
    const task_view* const start = &tasks_.views()[number];
    out << "umcg: deadlock: ";
    const task_view* at = start;
    do {
      write_name(out, *at);
      out << " waits for mutex " << hexadecimal{at->note.subject} << " of ";
      at = owner_of(*at, tasks_);
    } while (at != nullptr && at != start);
    write_name(out, *start);
    out << '\n';
  }
}

}  // namespace umcg::diagnosis
