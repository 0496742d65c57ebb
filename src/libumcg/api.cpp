// SPDX-License-Identifier: MIT
// The C API: checks what it is given, turns ids into tasks and results into errno. What the calls
// do is in scheduling.hpp and membership.hpp.
#include <algorithm>
#include <cerrno>
#include <limits>
#include <new>

#include "libumcg/membership.hpp"
#include "libumcg/preemption.hpp"
#include "libumcg/scheduling.hpp"
#include "libumcg/wait_note.hpp"
#include "umcg/libumcg.h"

namespace {

namespace core = umcg::libumcg;
using core::current_task;
using core::group;
using core::task;
using core::task_kind;
using core::task_reference;
using umcg::deadline;
using umcg::wait_reason;

deadline deadline_at(std::uint64_t nanoseconds) noexcept {
  if (nanoseconds == 0) return deadline::never();
  constexpr auto last = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto count = static_cast<std::int64_t>(std::min(nanoseconds, last));
  return deadline(deadline::clock::time_point(std::chrono::nanoseconds(count)));
}

int fail(int error) noexcept {
  errno = error;
  return -1;
}

umcg_t no_group(int error) noexcept {
  errno = error;
  return UMCG_NONE;
}

umcg_tid none(int error) noexcept {
  errno = error;
  return UMCG_NONE;
}

group* group_of(umcg_t id) noexcept { return reinterpret_cast<group*>(id); }

task* calling_server() noexcept {
  task* self = current_task;
  return self != nullptr && self->kind == task_kind::server ? self : nullptr;
}

umcg_tid registered(int failed) noexcept {
  return failed != 0 ? none(failed) : core::id_of(*current_task);
}

bool is_registered(const task_reference& reference) noexcept {
  return reference.current() && reference.who->kind != task_kind::none;
}

umcg_tid take_worker(deadline until, bool wait) noexcept {
  task* self = calling_server();
  if (self == nullptr) return none(EINVAL);
  for (;;) {
    if (const task* worker = core::take_idle_worker(*self)) return core::id_of(*worker);
    if (!wait) return none(0);
    if (until.passed()) {
      core::give_up_parking(*self);
      return none(ETIMEDOUT);
    }
    core::park(*self, until);
  }
}

// What a task is not that should have been of a kind or group: that, or any more.
int not_suitable(const task& found) noexcept {
  return found.kind == task_kind::none ? ESRCH : EINVAL;
}

umcg_stop public_reason(core::stop why) noexcept { return static_cast<umcg_stop>(why); }

bool may_swap(const task& self, const task& next) noexcept {
  return self.kind == next.kind && self.in == next.in;
}

}  // namespace

extern "C" {

bool umcg_enabled() { return core::default_half() != nullptr; }

const char* umcg_kernel_half() { return core::default_half_reason(); }

int umcg_use_kernel_half(const char* name) {
  const int failed = name != nullptr ? core::choose_default_half(name) : EINVAL;
  return failed != 0 ? fail(failed) : 0;
}

std::uint64_t umcg_get_time_ns() {
  return static_cast<std::uint64_t>(deadline::clock::now().time_since_epoch().count());
}

umcg_tid umcg_get_utid() {
  const task* self = current_task != nullptr ? current_task : core::own_slot();
  return self != nullptr ? core::id_of(*self) : none(ENOMEM);
}

void umcg_set_task_tag(umcg_tid utid, std::intptr_t tag) {
  const task_reference reference = core::find_task(utid);
  if (reference.current()) reference.who->tag.store(tag);
}

std::intptr_t umcg_get_task_tag(umcg_tid utid) {
  const task_reference reference = core::find_task(utid);
  return reference.current() ? reference.who->tag.load() : 0;
}

std::uint64_t umcg_get_task_state(umcg_tid utid) {
  const task_reference reference = core::find_task(utid);
  return reference.current() ? reference.who->state.look() : UMCG_TASK_NONE;
}

umcg_t umcg_create_group(std::uint32_t flags) {
  if ((flags & ~std::uint32_t{UMCG_GROUP_ENABLE_PREEMPTION}) != 0) return no_group(EINVAL);
  core::half* plug = core::default_half();
  if (plug == nullptr) return no_group(ENOTSUP);
  const core::preempt_guard guard(current_task);
  if (flags != 0) {
    if (const int failed = core::install_preemption()) return no_group(failed);
  }
  auto* made = new (std::nothrow) group(flags != 0, *plug);
  return made != nullptr ? reinterpret_cast<umcg_t>(made) : no_group(ENOMEM);
}

int umcg_destroy_group(umcg_t group) {
  core::group* doomed = group_of(group);
  if (doomed == nullptr) return fail(EINVAL);
  if (doomed->members.load() != 0) return fail(EBUSY);
  delete doomed;
  return 0;
}

int umcg_set_preemption_signal(int signal) {
  const core::preempt_guard guard(current_task);
  const int failed = core::set_preemption_signal(signal);
  return failed != 0 ? fail(failed) : 0;
}

umcg_tid umcg_register_basic_task(std::intptr_t tag) {
  core::half* plug = core::default_half();
  return plug != nullptr ? registered(core::register_basic(*plug, tag)) : none(ENOTSUP);
}

umcg_tid umcg_register_worker(umcg_t group_id, std::intptr_t tag) {
  group* in = group_of(group_id);
  return in != nullptr ? registered(core::register_worker(*in, tag)) : none(EINVAL);
}

umcg_tid umcg_register_server(umcg_t group_id, std::intptr_t tag) {
  group* in = group_of(group_id);
  return in != nullptr ? registered(core::register_server(*in, tag)) : none(EINVAL);
}

int umcg_unregister_task() {
  const int failed = core::unregister();
  return failed != 0 ? fail(failed) : 0;
}

int umcg_wait(std::uint64_t deadline_ns) {
  task* self = current_task;
  if (self == nullptr) return fail(EINVAL);
  if (self->blocking != 0) return fail(EBUSY);
  const core::preempt_guard guard(self);
  const deadline until = deadline_at(deadline_ns);
  const core::noted_wait note(self, {.reason = wait_reason::wake, .until = until});
  return core::wait(*self, until) ? 0 : fail(ETIMEDOUT);
}

int umcg_wake(umcg_tid next, bool /*same_cpu*/) {
  if (next == UMCG_NONE) return fail(EINVAL);
  const task_reference target = core::find_task(next);
  if (!is_registered(target)) return fail(ESRCH);
  const core::preempt_guard guard(current_task);
  return core::wake(target) ? 0 : fail(ESRCH);
}

int umcg_swap(umcg_tid next, std::uint64_t deadline_ns) {
  task* self = current_task;
  if (self == nullptr || next == UMCG_NONE) return fail(EINVAL);
  if (next == core::id_of(*self)) return 0;
  if (self->blocking != 0) return fail(EBUSY);
  const task_reference target = core::find_task(next);
  if (!is_registered(target)) return fail(ESRCH);
  if (!may_swap(*self, *target.who)) return fail(not_suitable(*target.who));
  const core::preempt_guard guard(self);
  const deadline until = deadline_at(deadline_ns);
  const core::noted_wait note(
      self,
      {.reason = wait_reason::swap, .subject = static_cast<std::uintptr_t>(next), .until = until});
  switch (core::swap(*self, target, until)) {
    case core::swap_result::timed_out:
      return fail(ETIMEDOUT);
    case core::swap_result::gone:
      return fail(ESRCH);
    case core::swap_result::busy:
      return fail(EBUSY);
    case core::swap_result::done:
      break;
  }
  return 0;
}

void umcg_block_begin() {
  task* self = current_task;
  if (self == nullptr || self->kind != task_kind::worker) return;
  const int saved_errno = errno;
  core::leave_server(*self);
  errno = saved_errno;
}

void umcg_block_end() {
  task* self = current_task;
  if (self == nullptr || self->kind != task_kind::worker) return;
  const int saved_errno = errno;
  core::return_to_servers(*self);
  errno = saved_errno;
}

umcg_tid umcg_get_idle_worker(bool wait) { return take_worker(deadline::never(), wait); }

umcg_tid umcg_get_idle_worker_until(std::uint64_t deadline_ns) {
  return take_worker(deadline_at(deadline_ns), true);
}

umcg_tid umcg_run_worker_why(umcg_tid worker, umcg_stop* why) {
  if (why != nullptr) *why = UMCG_STOP_NONE;
  task* self = calling_server();
  if (self == nullptr || worker == UMCG_NONE) return none(EINVAL);
  const task_reference target = core::find_task(worker);
  if (!is_registered(target)) return none(ESRCH);
  task& chosen = *target.who;
  if (chosen.kind != task_kind::worker || chosen.in != self->in) {
    return none(not_suitable(chosen));
  }
  if (!chosen.state.run_found(target.life, false)) return none(target.current() ? EBUSY : ESRCH);
  const core::run_result result = core::run(*self, chosen);
  if (why != nullptr) *why = public_reason(result.why);
  if (result.why == core::stop::exited || result.why == core::stop::unregistered) return none(0);
  return core::id_of(*result.worker, result.generation);
}

umcg_tid umcg_run_worker(umcg_tid worker) { return umcg_run_worker_why(worker, nullptr); }

int umcg_preempt_worker(umcg_tid worker) {
  const task_reference target = core::find_task(worker);
  if (worker == UMCG_NONE) return fail(EINVAL);
  if (!is_registered(target)) return fail(ESRCH);
  const int failed = core::preempt(target);
  return failed != 0 ? fail(failed) : 0;
}

}  // extern "C"
