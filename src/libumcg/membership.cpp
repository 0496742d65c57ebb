// SPDX-License-Identifier: MIT
#include "libumcg/membership.hpp"

#include <pthread.h>

#include <cerrno>
#include <new>
#include <utility>

#include "libumcg/scheduling.hpp"

namespace umcg::libumcg {

namespace {

// Ends with the thread: a thread that ends while it is registered is unregistered, so that a
// worker's server learns of it and no id outlives its thread.
class slot_of_thread {
 public:
  slot_of_thread() = default;
  slot_of_thread(const slot_of_thread&) = delete;
  slot_of_thread& operator=(const slot_of_thread&) = delete;
  ~slot_of_thread() {
    has_ended_ = true;
    if (slot_ == nullptr) return;
    if (current_task != nullptr) unregister(stop::exited);
    free_task(*std::exchange(slot_, nullptr));
  }

  // Null also in destructors of the thread that come after ours: it is nobody any more.
  task* get() noexcept {
    if (slot_ == nullptr && !has_ended_) slot_ = allocate_task();
    return slot_;
  }
  void forget() noexcept { slot_ = nullptr; }

 private:
  task* slot_ = nullptr;
  bool has_ended_ = false;
};

thread_local slot_of_thread own;

// The child's one thread is nobody's task: the servers, and the kernel threads of all others, are
// the parent's.
void reset_in_child() noexcept {
  unlock_task_table();
  current_task = nullptr;
  own.forget();
}

// No other thread is in the middle of a change of the task table while one forks.
bool watches_forks() noexcept {
  static const bool watching =
      ::pthread_atfork(lock_task_table, unlock_task_table, reset_in_child) == 0;
  return watching;
}

void fill(task& self, half& plug, std::intptr_t tag) noexcept {
  self.plug = &plug;
  self.why = stop::none;
  self.preempt_off.begin_at(0);
  self.server = nullptr;
  self.user = nullptr;
  self.exited = nullptr;
  self.roused.store(0);  // by whoever was late for the slot's earlier task
  self.tag.store(tag);
  self.waits_for = nullptr;
  self.works_at = nullptr;
  self.name.fill('\0');
  self.thread_pointer = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
}

int become(group& in, task_kind kind, std::intptr_t tag) noexcept {
  if (current_task != nullptr) return EINVAL;
  task* self = watches_forks() ? own_slot() : nullptr;
  if (self == nullptr) return ENOMEM;
  if (kind == task_kind::server && self->serving == nullptr) {
    self->serving = new (std::nothrow) server_part;
    if (self->serving == nullptr) return ENOMEM;
  }
  fill(*self, *in.plug, tag);
  self->in = &in;
  self->preemptible = in.preemptible;
  self->kind = kind;
  // Before anybody can see it: a group with a worker that never ran is not empty.
  in.members.fetch_add(1);
  return 0;
}

// A registration that has failed.
int give_up(task& self, int error) noexcept {
  if (group* in = self.in.load()) in->members.fetch_sub(1);
  self.kind = task_kind::none;
  self.in = nullptr;
  return error;
}

}  // namespace

task* own_slot() noexcept { return own.get(); }

int register_basic(half& plug, std::intptr_t tag) noexcept {
  if (current_task != nullptr) return EINVAL;
  task* self = watches_forks() ? own_slot() : nullptr;
  if (self == nullptr) return ENOMEM;
  fill(*self, plug, tag);
  self->in = nullptr;
  self->kind = task_kind::basic;
  if (const int failed = plug.attach(*self)) return give_up(*self, failed);
  self->state.begin(task_state::running);
  current_task = self;
  return 0;
}

int register_server(group& in, std::intptr_t tag) noexcept {
  if (const int failed = become(in, task_kind::server, tag)) return failed;
  task& self = *own_slot();
  self.serving->sleep = nullptr;
  self.serving->takes_own_first = false;
  self.serving->defers_preempted = false;
  self.serving->direct_runs = 0;
  self.serving->steal_from = 0;
  self.serving->was_parked = false;
  self.serving->was_summoned = false;
  self.serving->counts.reset();
  if (const int failed = in.plug->attach(self)) return give_up(self, failed);
  if (!add_server(in, self)) {
    in.plug->detach(self);
    return give_up(self, EAGAIN);
  }
  self.state.begin(task_state::running);
  current_task = &self;
  return 0;
}

int register_worker(group& in, std::intptr_t tag) noexcept {
  if (const int failed = become(in, task_kind::worker, tag)) return failed;
  task& self = *own_slot();
  if (const int failed = in.plug->attach(self)) return give_up(self, failed);
  current_task = &self;
  const preempt_guard guard(&self);
  self.state.begin(task_state::listed);
  publish(self);
  commit(in.plug->enter(self));
  return 0;
}

int unregister(stop why) noexcept {
  task* self = current_task;
  // A worker without a home has nowhere else to run.
  if (self == nullptr || self->exited != nullptr) return EINVAL;
  group* in = self->in;
  begin_library_code(*self);
  switch (self->kind.load()) {
    case task_kind::worker:
      end_blocking(*self);
      depart(*self, why);  // returns on the thread's own kernel thread
      break;
    case task_kind::server:
      remove_server(*self);
      self->state.end();
      break;
    default:
      self->state.end();
      break;
  }
  current_task = nullptr;
  self->preempt_off.exit();
  self->plug.load()->detach(*self);
  self->kind = task_kind::none;
  self->in = nullptr;
  if (in != nullptr) in->members.fetch_sub(1);
  return 0;
}

}  // namespace umcg::libumcg
