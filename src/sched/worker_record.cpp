// SPDX-License-Identifier: MIT
#include "sched/worker_record.hpp"

#include <algorithm>
#include <utility>

#include "sched/server_group.hpp"

namespace umcg::sched {

using libumcg::task;
using libumcg::task_state;

std::error_code worker_record::make_thread(std::size_t stack_size_bytes) noexcept {
  self_.user = this;
  libumcg::be_born_inside(self_);
  return self_.plug.load()->create(self_, stack_size_bytes, main);
}

void worker_record::end_thread() noexcept {
  retiring_ = true;
  self_.plug.load()->retire(self_);
}

std::uint64_t worker_record::begin(body work, std::string_view name) noexcept {
  work_ = std::move(work);
  self_.name.fill('\0');
  std::copy_n(name.begin(), std::min(name.size(), self_.name.size() - 1), self_.name.begin());
  self_.generation.fetch_add(1);
  self_.exited = has_exited;
  self_.state.begin(task_state::listed);
  const libumcg::preempt_guard library_code(libumcg::current_task);
  base::short_guard guard(lock_);
  return ++begun_;
}

// Runs on the worker's own stack, for the life of its thread.
void worker_record::main(task& self, task* departed) noexcept {
  libumcg::current_task = &self;
  self.thread_pointer = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
  libumcg::continue_inside(self);
  libumcg::commit(departed);
  auto& record = *static_cast<worker_record*>(self.user);
  while (!record.retiring_) {
    libumcg::end_library_code(self);
    libumcg::honour_preempt_request();
    record.work_();
    record.work_.reset();
    libumcg::end_blocking(self);
    libumcg::begin_library_code(self);
    libumcg::depart(self, libumcg::stop::exited);
  }
  libumcg::current_task = nullptr;
  self.preempt_off.exit();  // no library code of the slot's next owner
}

// Runs on whoever the carrier continued, once the worker's registers are saved: its thread may run
// the next body.
void worker_record::has_exited(task& self) noexcept {
  auto& record = *static_cast<worker_record*>(self.user);
  record.end_run();
}

// Those who wait for `run` or an earlier one, out of the list; they may join from now on without
// waiting.
worker_record::joiner* worker_record::take_joiners(std::uint64_t run) noexcept {
  base::short_guard guard(lock_);
  ended_ = std::max(ended_, run);
  joiner* taken = nullptr;
  for (joiner** link = &joiners_; *link != nullptr;) {
    joiner& each = **link;
    if (each.run > run) {
      link = &each.next;
      continue;
    }
    *link = each.next;
    each.next = std::exchange(taken, &each);
  }
  return taken;
}

// Whoever has joined finds the worker in the pool and room for another. From the moment it is in
// the pool the record may be running the next body, so only this run's number is used.
void worker_record::end_run() noexcept {
  std::uint64_t run;
  {
    base::short_guard guard(lock_);
    run = begun_;
  }
  owner_.pool(*this);
  owner_.forget();
  joiner* each = take_joiners(run);
  while (each != nullptr) {
    joiner& woken = *std::exchange(each, each->next);
    woken.ended.set();
  }
}

void worker_record::join(std::uint64_t run) noexcept {
  // A worker that is stopped with the lock in its hand would stop its server as well.
  const libumcg::preempt_guard library_code(libumcg::current_task);
  joiner self{one_shot(libumcg::id_of(self_)), run, nullptr};
  {
    base::short_guard guard(lock_);
    if (ended_ >= run) return;
    self.next = std::exchange(joiners_, &self);
  }
  self.ended.wait();
}

}  // namespace umcg::sched
