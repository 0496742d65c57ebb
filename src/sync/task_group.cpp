// SPDX-License-Identifier: MIT
#include "umcg/task_group.hpp"

#include <asio/error.hpp>

#include "sched/bounds.hpp"
#include "umcg/deadline_scope.hpp"

namespace umcg {

namespace {

// The exception that is being handled.
bool says_aborted() noexcept {
  try {
    throw;
  } catch (const std::system_error& error) {
    return error.code() == asio::error::operation_aborted ||
           error.code() == std::errc::operation_canceled;
  } catch (...) {
    return false;
  }
}

}  // namespace

task_group::task_group()
    : source_(cancellation_source::below_scopes()), until_(deadline_scope::current()) {}

task_group::~task_group() {
  cancel();
  wait();
}

// What a child still needs of the task group ends with done(), so it is the last thing it does to
// it; the body, which may refer to what the joiner owns, is gone by then.
void task_group::start(group& on, body work, const worker_options& options) {
  children_.add();
  std::error_code error;
  try {
    on.spawn([this, does = std::move(work)]() mutable { run(std::move(does)); }, options, error)
        .detach();
  } catch (...) {
    children_.done();
    throw;
  }
  if (!error) return;
  children_.done();
  throw std::system_error(error, "a worker of a task group could not be spawned");
}

void task_group::run(body work) noexcept {
  {
    body does = std::move(work);
    const deadline_scope bounded(until_);
    const cancellation_scope scope(source_.token());
    try {
      does();
    } catch (...) {
      keep_exception();
    }
  }
  children_.done();
}

// Of the handler of an exception that has left a child.
void task_group::keep_exception() noexcept {
  if (source_.cancelled() && says_aborted()) {
    state_.abort();
  } else if (state_.fail()) {
    first_ = std::current_exception();
    cancel();
  }
}

void task_group::wait() noexcept {
  const scope_shield whatever_scopes_say;
  children_.wait();
}

void task_group::join() {
  wait();
  switch (state_.take()) {
    case sync::outcome::failed:
      std::rethrow_exception(std::exchange(first_, nullptr));
    case sync::outcome::aborted:
      if (sched::cancelled_here()) sched::throw_aborted();
      return;
    case sync::outcome::well:
      return;
  }
}

}  // namespace umcg
