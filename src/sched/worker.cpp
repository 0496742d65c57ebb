// SPDX-License-Identifier: MIT
#include "umcg/worker.hpp"

#include <sched.h>

#include <utility>

#include "libumcg/scheduling.hpp"
#include "sched/worker_record.hpp"

namespace umcg {

worker::worker(worker&& other) noexcept
    : record_(std::exchange(other.record_, nullptr)), run_(other.run_) {}

worker& worker::operator=(worker&& other) noexcept {
  if (this != &other) {
    join();
    record_ = std::exchange(other.record_, nullptr);
    run_ = other.run_;
  }
  return *this;
}

worker::~worker() { join(); }

void worker::join() noexcept {
  if (record_ != nullptr) std::exchange(record_, nullptr)->join(run_);
}

void worker::detach() noexcept { record_ = nullptr; }

void yield() noexcept {
  libumcg::task* self = libumcg::current_task;
  if (self == nullptr || self->kind != libumcg::task_kind::worker || self->blocking != 0) {
    ::sched_yield();
    return;
  }
  const libumcg::preempt_guard guard(self);
  libumcg::depart(*self, libumcg::stop::yielded);
}

std::string_view this_worker_name() noexcept {
  const libumcg::task* self = libumcg::current_task;
  if (self == nullptr || self->kind != libumcg::task_kind::worker || self->user == nullptr) {
    return {};
  }
  return self->name.data();
}

}  // namespace umcg
