// SPDX-License-Identifier: MIT
#include "sched/server_group.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "libumcg/membership.hpp"
#include "libumcg/scheduling.hpp"

namespace umcg::sched {

using libumcg::task;

namespace {

// How many workers may run, one after another, before the server looks at its completions again.
constexpr std::uint32_t runs_max = 64;

// Signals meant for the process go to the program's own threads: on a server a handler would run on
// the stack of whichever worker is there. Faults stay with the worker that makes them.
void leave_signals_to_others() noexcept {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    sigdelset(&blocked, fault);
  }
  for (int real_time = SIGRTMIN; real_time <= SIGRTMAX; ++real_time) {
    sigdelset(&blocked, real_time);
  }
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
}

void name_thread(unsigned number) noexcept {
  std::array<char, 16> name{"umcg-server-"};
  constexpr std::size_t prefix = 12;
  std::to_chars(name.data() + prefix, name.data() + name.size() - 1, number);
  ::pthread_setname_np(::pthread_self(), name.data());
}

// Take - run - park, until there is nothing to run and nothing to come.
void run_workers(task& self, event_source& source, const std::atomic<bool>& stopping) noexcept {
  std::uint32_t runs_left = runs_max;
  for (;;) {
    task* worker = libumcg::take_idle_worker(self);
    if (worker == nullptr) {
      if (stopping.load()) return;
      libumcg::park(self, deadline::never());
      runs_left = runs_max;
      continue;
    }
    self.serving->direct_runs = runs_left - 1;
    // Another worker may have swapped to it meanwhile.
    if (!worker->state.run_held()) continue;
    libumcg::run(self, *worker);
    runs_left = self.serving->direct_runs;
    if (runs_left > 0) continue;
    source.poll();
    runs_left = runs_max;
  }
}

}  // namespace

server_group::server_group(libumcg::half& plug, const limits& limits) noexcept
    : group_(false, plug), limits_(limits) {}

void server_group::serve(event_source& source, unsigned number,
                         std::atomic<std::uint32_t>& started) noexcept {
  name_thread(number);
  leave_signals_to_others();
  const int failed = libumcg::register_server(group_, 0);
  if (failed == 0) {
    task& self = *libumcg::current_task;
    self.user = &source;
    source.attach(self);
    self.serving->sleep = &source;
    self.serving->takes_own_first = true;
  }
  started.store(failed == 0 ? 1 : 2);
  base::futex_wake(started);
  if (failed != 0) return;
  task& self = *libumcg::current_task;
  run_workers(self, source, stopping_);
  libumcg::unregister();
  source.detach();
}

std::error_code server_group::start(std::vector<std::unique_ptr<event_source>> sources) {
  sources_ = std::move(sources);
  threads_.reserve(sources_.size());
  for (const auto& source : sources_) {
    std::atomic<std::uint32_t> started{0};
    const auto number = static_cast<unsigned>(threads_.size());
    try {
      threads_.emplace_back([this, &source, number, &started] { serve(*source, number, started); });
    } catch (const std::system_error& failure) {
      return failure.code();
    }
    while (started.load() == 0) base::futex_wait(started, 0);
    if (started.load() != 1) return std::make_error_code(std::errc::not_enough_memory);
  }
  return {};
}

bool server_group::admit() noexcept {
  const std::uint32_t before = live_.fetch_add(1);
  if (limits_.workers_max == 0 || before < limits_.workers_max) return true;
  forget();
  return false;
}

void server_group::forget() noexcept {
  if (live_.fetch_sub(1) == 1) base::futex_wake(live_);
}

worker server_group::spawn(body work, const worker_options& options, std::error_code& error) {
  error.clear();
  const libumcg::preempt_guard guard(libumcg::current_task);
  const std::size_t size =
      options.stack_size_bytes != 0 ? options.stack_size_bytes : limits_.stack_size_bytes;
  if (!admit()) {
    error = std::make_error_code(std::errc::resource_unavailable_try_again);
    return {};
  }
  worker_record* record = take_pooled(size);
  if (record == nullptr) record = make_record(size, error);
  if (record == nullptr) {
    forget();
    return {};
  }
  const std::uint64_t run = record->begin(std::move(work), options.name);
  libumcg::publish(record->self());
  return {*record, run};
}

}  // namespace umcg::sched
