// SPDX-License-Identifier: MIT
// Groups in which nothing happens and, as far as can be seen from inside, nothing will.
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/futex.hpp"
#include "diagnosis/deadlock.hpp"
#include "diagnosis/worker_dump.hpp"
#include "libumcg/group.hpp"

namespace umcg::diagnosis {

using libumcg::task_kind;
using libumcg::task_state;

namespace {

constexpr std::chrono::seconds stuck_for(1);

// Whether a look is under way. Whoever is about to begin one less has to look once more after that.
std::atomic<bool> watching{false};

// What the workers of a group wait for, in one number: it is another as soon as one has gone on.
using fingerprint = std::uint64_t;
constexpr fingerprint not_stuck = 0;

// The attendant's only: groups that have been named.
class said_already {
 public:
  bool contains(fingerprint one) const noexcept {
    return std::ranges::find(all_, one) != all_.end();
  }
  void add(fingerprint one) noexcept { all_[next_++ % all_.size()] = one; }

 private:
  std::array<fingerprint, 32> all_{};
  std::size_t next_ = 0;
};

// Nor does a mutex of the C library become free by itself; if it is another worker's.
bool waits_in_kernel_for_worker(const task_view& worker, all_tasks& tasks) noexcept {
  if (worker.in_mutex_since_run == 0 || worker.lock_owner == 0) return false;
  const task_view* const owner = tasks.find_by_thread_pointer(worker.lock_owner);
  return owner != nullptr && owner->in == worker.in && owner->kind == task_kind::worker;
}

bool waits_for_somebody(const task_view& worker) noexcept {
  const wait_reason reason = worker.note.reason;
  return worker.place() == task_state::waiting && worker.waits && worker.note.until.is_never() &&
         reason >= wait_reason::join && reason <= wait_reason::pthread_condition;
}

fingerprint fingerprint_of(const libumcg::group* in, all_tasks& tasks) noexcept {
  fingerprint sum = not_stuck;
  for (const task_view& each : tasks.views()) {
    if (each.in != in) continue;
    if (each.kind == task_kind::server) {
      if (!each.serving->rests.load()) return not_stuck;
      continue;
    }
    if (!waits_for_somebody(each) && !waits_in_kernel_for_worker(each, tasks)) return not_stuck;
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
    sum += (each.stamp + each.in_mutex_since_run + 1) * odd ^ static_cast<std::uint64_t>(each.id);
  }
  return sum;
}

void write_hint(const libumcg::group* in, all_tasks& tasks) noexcept {
  std::array<std::uint32_t, wait_reasons> counts{};
  std::uint32_t workers = 0;
  for (const task_view& each : tasks.views()) {
    if (each.in != in || each.kind != task_kind::worker) continue;
    ++counts[static_cast<std::size_t>(each.note.reason)];
    ++workers;
  }
  text_writer out(STDERR_FILENO);
  deadlocks certain(tasks);
  if (certain.any()) return certain.write(out);
  out << "umcg: hint: perhaps a deadlock: " << (workers == 1 ? "the only worker" : "all ");
  if (workers != 1) out << counted{workers, "worker"};
  out << " of a group " << (workers == 1 ? "waits" : "wait")
      << " without I/O or a deadline, and only a thread outside of it could end that:";
  for (std::size_t at = 0; at < wait_reasons; ++at) {
    if (counts[at] != 0)
      out << ' ' << counts[at] << ' ' << name_of(static_cast<wait_reason>(at)) << ';';
  }
  for (const task_view& each : tasks.views()) {
    if (each.in != in || each.kind != task_kind::worker) continue;
    out << " such as ";
    write_name(out, each);
    out << ": ";
    write_occupation(out, each, tasks);
    break;
  }
  out << '\n';
}

constexpr std::size_t groups_max = 16;
struct suspicion {
  const libumcg::group* in = nullptr;
  fingerprint print = not_stuck;
};
using suspicions = std::array<suspicion, groups_max>;

suspicions find_stuck(all_tasks& tasks, const said_already& said) noexcept {
  suspicions found;
  std::size_t used = 0;
  for (const task_view& each : tasks.views()) {
    if (each.kind != task_kind::server || used == found.size()) continue;
    if (std::ranges::find(found, each.in, &suspicion::in) != found.end()) continue;
    const fingerprint print = fingerprint_of(each.in, tasks);
    if (print != not_stuck && !said.contains(print)) found[used++] = {each.in, print};
  }
  return found;
}

bool any(const suspicions& all) noexcept { return all.front().print != not_stuck; }

// Names those that have been stuck since the look before.
void name_stuck(const suspicions& before, const suspicions& now, all_tasks& tasks,
                said_already& said) noexcept {
  for (const suspicion& each : now) {
    const auto same = [&](const suspicion& other) { return other.print == each.print; };
    if (each.print == not_stuck || std::ranges::none_of(before, same)) continue;
    write_hint(each.in, tasks);
    said.add(each.print);
  }
}

suspicions look(const suspicions& before, said_already& said) noexcept {
  all_tasks tasks;
  const suspicions now = find_stuck(tasks, said);
  name_stuck(before, now, tasks, said);
  return now;
}

}  // namespace

bool may_begin_watch() noexcept { return !watching.exchange(true); }

bool watch_for_deadlock(std::atomic<std::uint32_t>& bell) noexcept {
  static said_already said;
  suspicions before;
  for (;;) {
    // First, so that servers that sleep and wake again and again cost one look in that time.
    const deadline until = deadline::after(stuck_for);
    while (bell.load() == 0 && !until.passed()) base::futex_wait(bell, 0, until);
    if (bell.load() != 0) return false;
    suspicions now = look(before, said);
    if (!any(now)) {
      watching.store(false);
      // Who has asked until then was told that a look is under way.
      now = look(before, said);
      if (!any(now) || watching.exchange(true)) return true;
    }
    before = now;
  }
}

void forget_watch() noexcept { watching.store(false); }

}  // namespace umcg::diagnosis
