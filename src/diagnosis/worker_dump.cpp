// SPDX-License-Identifier: MIT
#include "diagnosis/worker_dump.hpp"

#include <algorithm>

#include "diagnosis/deadlock.hpp"
#include "diagnosis/symbols.hpp"

namespace umcg::diagnosis {

using libumcg::task_kind;
using libumcg::task_state;

namespace {

struct dumped_worker {
  task_view* view = nullptr;
  std::uint32_t stack = 0;
  bool answered = true;
  kernel_place place;
};

class worker_dump {
 public:
  // `only`: of that one; null: of all.
  explicit worker_dump(const libumcg::task* only = nullptr) noexcept
      : workers_(tasks_.views().size()), stacks_(tasks_.views().size() + 1) {
    for (task_view& each : tasks_.views()) {
      if (each.kind != task_kind::worker || (only != nullptr && each.who != only)) continue;
      dumped_worker worker;
      worker.view = &each;
      find_stack(worker);
      workers_.push(worker);
    }
    stacks_.resolve(names_);
    sort();
  }

  void write(text_writer& out) noexcept {
    out << "=== umcg: " << counted{workers_.size(), "worker"} << " ===\n";
    write_counters(out, tasks_);
    write_servers(out);
    deadlocks_.write(out);
    write_workers(out);
    out << "=== umcg: end ===\n";
  }

  void write_workers(text_writer& out) noexcept {
    for (auto rest = workers_.all(); !rest.empty();) {
      const auto others = std::ranges::find_if(
          rest, [&](const dumped_worker& each) { return each.stack != rest.front().stack; });
      write_entry(out, {rest.begin(), others});
      rest = {others, rest.end()};
    }
  }

 private:
  void find_stack(dumped_worker& worker) noexcept;
  void ask(dumped_worker& worker, call_stack& calls) noexcept;
  void sort() noexcept;
  void write_servers(text_writer& out) noexcept;
  void write_entry(text_writer& out, std::span<const dumped_worker> same) noexcept;
  void write_worker(text_writer& out, const dumped_worker& one) noexcept;

  symbols names_;
  all_tasks tasks_;
  deadlocks deadlocks_{tasks_};  // before anybody is asked: the question ends waits in the kernel
  mapped_array<dumped_worker> workers_;
  folded_stacks stacks_;
};

// Workers that do different things are told apart, whatever their stacks.
std::uint64_t kind_of(const task_view& view) noexcept {
  const std::uint64_t reason = view.waits ? static_cast<std::uint64_t>(view.note.reason) + 1 : 0;
  return (reason << 32) | view.place();
}

void worker_dump::find_stack(dumped_worker& worker) noexcept {
  task_view& view = *worker.view;
  call_stack calls;
  if (!view.on_kernel_thread() && !walk_parked(view, calls)) {
    // It has gone on. What it does now is what counts.
    calls.depth = 0;
    look_at(*view.who, view);
  }
  if (view.on_kernel_thread()) ask(worker, calls);
  worker.stack = stacks_.add(calls, kind_of(view));
}

void worker_dump::ask(dumped_worker& worker, call_stack& calls) noexcept {
  const task_view& view = *worker.view;
  // First, since the question itself ends some calls.
  worker.place = find_in_kernel(view.where.kernel_thread);
  worker.answered = inquire(*view.who, view.where.kernel_thread, names_.code(), calls);
  const bool in_kernel = worker.place.is == kernel_place::where::in_call ||
                         worker.place.is == kernel_place::where::in_fault;
  if (worker.answered || !in_kernel) return;
  calls.add(worker.place.program_counter);
  guess_frames(worker.place.stack_pointer, names_.code(), calls);
}

// Those that run first; then the largest crowds; in a crowd, those that have waited longest.
void worker_dump::sort() noexcept {
  std::ranges::sort(workers_.all(), [this](const dumped_worker& a, const dumped_worker& b) {
    const folded_stack& of_a = stacks_.all()[a.stack];
    const folded_stack& of_b = stacks_.all()[b.stack];
    const bool a_waits = !a.view->runs() && !a.view->in_region();
    const bool b_waits = !b.view->runs() && !b.view->in_region();
    if (a_waits != b_waits) return b_waits;
    if (of_a.count != of_b.count) return of_a.count > of_b.count;
    if (a.stack != b.stack) return a.stack < b.stack;
    if (a.view->note.since != b.view->note.since) return a.view->note.since < b.view->note.since;
    return a.view->who->slot < b.view->who->slot;
  });
}

void worker_dump::write_servers(text_writer& out) noexcept {
  for (const task_view& server : tasks_.views()) {
    if (server.kind != task_kind::server) continue;
    write_name(out, server);
    out << ", thread " << server.where.kernel_thread << ": ";
    const auto runs_here = [&](const dumped_worker& each) {
      return each.view->runs() && each.view->server == server.who;
    };
    const auto worker = std::ranges::find_if(workers_.all(), runs_here);
    if (server.place() == task_state::attached && worker != workers_.all().end()) {
      out << "runs ";
      write_name(out, *worker->view);
      out << '\n';
    } else if (server.place() == task_state::attached) {
      out << "between two workers\n";
    } else {
      out << "looks for workers, or sleeps\n";
    }
  }
}

void worker_dump::write_entry(text_writer& out, std::span<const dumped_worker> same) noexcept {
  out << '\n';
  if (same.size() > 1) {
    const task_view& first = *same.front().view;
    out << counted{same.size(), "worker"} << ", ";
    out << (first.waits ? name_of(first.note.reason) : "at the same place") << ":\n";
  }
  for (const dumped_worker& each : same) write_worker(out, each);
  write_frames(out, stacks_.all()[same.front().stack].calls, stacks_);
}

void write_place(text_writer& out, const kernel_place& place) noexcept {
  switch (place.is) {
    case kernel_place::where::not_known:
    case kernel_place::where::on_cpu:
      return;
    case kernel_place::where::in_fault:
      out << ", stopped by the kernel, as for a page that is not there";
      return;
    case kernel_place::where::in_call:
      break;
  }
  out << ", blocked in system call ";
  if (const char* name = name_of_system_call(place.call)) {
    out << name;
  } else {
    out << place.call;
  }
  constexpr std::size_t arguments_shown = 3;
  for (std::size_t at = 0; at < arguments_shown; ++at) {
    out << (at == 0 ? "(" : ", ") << hexadecimal{place.arguments[at]};
  }
  out << ", ...)";
}

void worker_dump::write_worker(text_writer& out, const dumped_worker& one) noexcept {
  const task_view& view = *one.view;
  write_name(out, view);
  out << ": ";
  write_occupation(out, view, tasks_);
  if (view.on_kernel_thread()) {
    out << ", thread " << view.where.kernel_thread;
    write_place(out, one.place);
    if (!one.answered) out << ", has not answered a signal";
  }
  if (view.server != nullptr) {
    if (const task_view* server = tasks_.find(view.server)) {
      out << ", ";
      write_name(out, *server);
    }
  }
  out << '\n';
}

}  // namespace

int write_dump(int fd) noexcept {
  text_writer out(fd);
  worker_dump().write(out);
  out.flush();
  return out.error();
}

void write_worker(int fd, std::string_view line, const libumcg::task& worker) noexcept {
  text_writer out(fd);
  out << line;
  worker_dump(&worker).write_workers(out);
  out.flush();
}

}  // namespace umcg::diagnosis
