// SPDX-License-Identifier: MIT
// The lines of a dump.
#include <algorithm>
#include <array>

#include "diagnosis/worker_dump.hpp"
#include "libumcg/task_table.hpp"

namespace umcg::diagnosis {

using libumcg::task_kind;
using libumcg::task_state;

namespace {

std::string_view kind_name(task_kind kind) noexcept {
  switch (kind) {
    case task_kind::server:
      return "server ";
    case task_kind::worker:
      return "worker ";
    case task_kind::basic:
      return "basic task ";
    case task_kind::none:
      break;
  }
  return "task ";
}

bool waits_for_descriptor(wait_reason reason) noexcept {
  return reason >= wait_reason::accept && reason <= wait_reason::readable;
}

bool waits_for_task(wait_reason reason) noexcept {
  return reason == wait_reason::join || reason == wait_reason::swap;
}

std::chrono::nanoseconds since(std::int64_t when) noexcept {
  return std::chrono::nanoseconds(libumcg::coarse_now() - when);
}

void write_subject(text_writer& out, const task_view& who, all_tasks& tasks) noexcept {
  const libumcg::wait_note& note = who.note;
  if (waits_for_descriptor(note.reason)) {
    out << " on fd " << static_cast<int>(note.subject);
  } else if (waits_for_task(note.reason) && note.subject != 0) {
    const auto id = static_cast<std::intptr_t>(note.subject);
    const task_view* const found = tasks.find(libumcg::find_task(id).who);
    if (found == nullptr || found->id != id) return;
    out << ' ';
    write_name(out, *found);
  } else if (note.reason >= wait_reason::mutex && note.reason <= wait_reason::pthread_condition) {
    out << ' ' << hexadecimal{note.subject};
  }
  if (who.lock_owner == 0) return;
  out << " owned by ";
  if (const task_view* owner = tasks.find_by_thread_pointer(who.lock_owner)) {
    write_name(out, *owner);
  } else {
    out << "a thread that is no task";
  }
}

void write_deadline(text_writer& out, deadline until) noexcept {
  if (until.is_never()) return;
  const auto left = until.when() - deadline::clock::now();
  if (left.count() >= 0) {
    out << ", deadline in " << std::chrono::nanoseconds(left);
  } else {
    out << ", deadline passed " << std::chrono::nanoseconds(-left) << " ago";
  }
}

// /src/umcg/build/../src/io/operations.cpp is said as src/io/operations.cpp.
std::string_view without_way_up(std::string_view path) noexcept {
  constexpr std::string_view up = "../";
  while (path.starts_with(up)) path.remove_prefix(up.size());
  return path;
}

void write_location(text_writer& out, const location& at) noexcept {
  constexpr std::size_t name_max = 300;
  const std::string_view name = !at.readable.empty() ? at.readable : at.function;
  if (name.empty()) {
    out << hexadecimal{at.address} << " in " << (at.object.empty() ? "?" : at.object);
    if (!at.object.empty()) out << '+' << hexadecimal{static_cast<std::uintptr_t>(at.in_file)};
    return;
  }
  out << name.substr(0, name_max) << (name.size() > name_max ? "..." : "");
  if (at.line == 0) {
    out << '+' << hexadecimal{static_cast<std::uintptr_t>(at.in_file - at.function_begin)};
    out << " in " << at.object;
    return;
  }
  out << " at " << without_way_up(at.folder);
  if (!at.folder.empty() && !at.folder.ends_with('/')) out << '/';
  out << at.file << ':' << at.line;
}

// How often the frame before this one comes again: a recursion.
std::uint32_t repetitions(const call_stack& calls, std::uint32_t from) noexcept {
  std::uint32_t at = from;
  while (at > 0 && at < calls.depth && calls.addresses[at] == calls.addresses[at - 1]) ++at;
  return at - from;
}

// A user's text, perhaps one that a client has sent.
void write_quoted(text_writer& out, std::string_view text) noexcept {
  out << " \"";
  for (const char each : text) out << (each >= ' ' && each <= '~' ? each : '?');
  out << '"';
}

}  // namespace

void write_name(text_writer& out, const task_view& who) noexcept {
  out << kind_name(who.kind) << who.who->slot;
  if (who.name.front() != '\0') write_quoted(out, who.name.data());
  if (who.works_at.front() == '\0') return;
  out << " at";
  write_quoted(out, who.works_at.data());
}

void write_occupation(text_writer& out, const task_view& who, all_tasks& tasks) noexcept {
  if (who.waits && who.place() != task_state::listed && who.place() != task_state::held) {
    out << (who.lost_server ? "without a server" : name_of(who.note.reason));
    if (who.in_mutex_since_run != 0) out << ", waits for mutex";
    write_subject(out, who, tasks);
    if (who.note.since != 0) out << " for " << since(who.note.since);
    return write_deadline(out, who.note.until);
  }
  switch (who.place()) {
    case task_state::running:
      out << "runs";
      break;
    case task_state::listed:
    case task_state::held:
      out << "can run, and awaits a server";
      if (who.waits) out << ", after " << name_of(who.note.reason);
      break;
    case task_state::blocked:
      out << "blocked";
      break;
    case task_state::waiting:
      out << "waits";
      break;
    default:
      out << "state " << hexadecimal{who.state};
      break;
  }
}

void write_frames(text_writer& out, const call_stack& calls, folded_stacks& stacks) noexcept {
  for (std::uint32_t at = 0; at < calls.depth; ++at) {
    if (const std::uint32_t again = repetitions(calls, at); again > 1) {
      out << "    ...  the same, " << again << " times more\n";
      at += again - 1;
      continue;
    }
    const location* const known = stacks.find(calls.addresses[at]);
    // No code is there: what looked like a frame was none.
    if (known == nullptr || (known->object.empty() && at > 0)) break;
    out << "    #" << at << (at < 10 ? "  " : " ") << (calls.guessed[at] ? "? " : "");
    write_location(out, *known);
    out << '\n';
  }
  if (calls.depth == call_stack::depth_max) out << "    ...\n";
}

}  // namespace umcg::diagnosis
