// SPDX-License-Identifier: MIT
// The pool of a server group: workers whose bodies have ended keep their threads, and their warm
// stacks, for the next.
#include <new>
#include <utility>

#include "sched/server_group.hpp"

namespace umcg::sched {

using libumcg::task;

worker_record* server_group::take_pooled(std::size_t stack_size_bytes) noexcept {
  const libumcg::preempt_guard library_code(libumcg::current_task);
  base::short_guard guard(pool_lock_);
  const auto list = pooled_.find(stack_size_bytes);
  if (list == pooled_.end() || list->second == nullptr) return nullptr;
  worker_record* taken = list->second;
  list->second = taken->next;
  return taken;
}

// Called on a server's carrier between two workers: no allocation here.
void server_group::pool(worker_record& idle) noexcept {
  base::short_guard guard(pool_lock_);
  idle.next = std::exchange(idle.home(), &idle);
}

// Null: no memory.
worker_record** server_group::make_home(std::size_t stack_size_bytes) noexcept {
  try {
    std::map<std::size_t, worker_record*> fresh{{stack_size_bytes, nullptr}};
    const libumcg::preempt_guard library_code(libumcg::current_task);
    base::short_guard guard(pool_lock_);
    pooled_.merge(fresh);  // allocates nothing
    return &pooled_.find(stack_size_bytes)->second;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

// Outside of library code: who allocates, or makes a thread, may have to wait for another worker.
worker_record* server_group::make_record(std::size_t stack_size_bytes,
                                         std::error_code& error) noexcept {
  error = std::make_error_code(std::errc::not_enough_memory);
  task* self = libumcg::allocate_task();
  if (self == nullptr) return nullptr;
  worker_record** const home = make_home(stack_size_bytes);
  auto* record = home != nullptr ? new (std::nothrow) worker_record(*this, *self, *home) : nullptr;
  if (record == nullptr) {
    libumcg::free_task(*self);
    return nullptr;
  }
  self->plug = group_.plug;
  self->in = &group_;
  self->preemptible = group_.preemptible;
  self->kind = libumcg::task_kind::worker;
  error = record->make_thread(stack_size_bytes);
  if (!error) return record;
  delete record;
  libumcg::free_task(*self);
  return nullptr;
}

void server_group::retire_all() noexcept {
  std::map<std::size_t, worker_record*> retired;
  {
    base::short_guard guard(pool_lock_);
    retired.swap(pooled_);
  }
  for (auto& [size, list] : retired) {
    while (list != nullptr) {
      worker_record* record = std::exchange(list, list->next);
      record->end_thread();
      libumcg::free_task(record->self());
      delete record;
    }
  }
}

void server_group::stop() noexcept {
  for (std::uint32_t live = live_.load(); live != 0; live = live_.load()) {
    base::futex_wait(live_, live);
  }
  stopping_.store(true);
  for (const auto& source : sources_) source->unpark();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  retire_all();
}

}  // namespace umcg::sched
