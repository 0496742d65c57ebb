// SPDX-License-Identifier: MIT
#include "sched/server_group.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/detached_thread.hpp"
#include "base/signal_mask.hpp"
#include "diagnosis/attendant.hpp"
#include "libumcg/membership.hpp"
#include "libumcg/preemption.hpp"
#include "libumcg/scheduling.hpp"
#include "sched/serving_loop.hpp"

namespace umcg::sched {

using libumcg::task;

namespace {

using thread_name = std::array<char, 16>;

thread_name name_thread(unsigned number) noexcept {
  thread_name name{"umcg-server-"};
  constexpr std::size_t prefix = 12;
  std::to_chars(name.data() + prefix, name.data() + name.size() - 1, number);
  base::name_this_thread(name.data());
  return name;
}

}  // namespace

server_group::server_group(libumcg::half& plug, const limits& limits) noexcept
    : group_(limits.quantum.count() != 0, plug), limits_(limits) {
  group_.quantum = limits.quantum;
}

// Without an operation only others can wake this server; if all servers are like that, and there
// are workers, the last to sleep has it looked at.
void server_group::park(task& server, const event_source& source) noexcept {
  std::atomic<bool>& rests = server.serving->rests;
  const bool may_be_stuck =
      limits_.deadlock_hints && !source.has_operations() && !group_.woken_from_outside.load();
  if (may_be_stuck) {
    rests.store(true);
    if (live_.load() != 0) diagnosis::suspect_deadlock();
  }
  libumcg::park(server, deadline::never());
  if (may_be_stuck) rests.store(false);
}

void server_group::serve(event_source& source, unsigned number,
                         std::atomic<std::uint32_t>& started) noexcept {
  const thread_name name = name_thread(number);
  base::leave_signals_to_others();
  const int failed = libumcg::register_server(group_, 0);
  if (failed == 0) {
    task& self = *libumcg::current_task;
    std::copy(name.begin(), name.end(), self.name.begin());
    self.user = &source;
    source.attach(self);
    self.serving->sleep = &source;
    self.serving->takes_own_first = true;
    self.serving->defers_preempted = true;
  }
  started.store(failed == 0 ? 1 : 2);
  base::futex_wake(started);
  if (failed != 0) return;
  task& self = *libumcg::current_task;
  serving_loop(*this, self, source).run();
  libumcg::unregister();
  source.detach();
}

std::error_code server_group::start(std::vector<std::unique_ptr<event_source>> sources) {
  if (group_.preemptible) {
    if (const int failed = libumcg::install_preemption()) {
      return {failed, std::system_category()};
    }
  }
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

counters server_group::counts() const noexcept {
  counters sums;
  for (const auto& each : group_.servers) {
    const task* server = each.load();
    if (server != nullptr) server->serving->counts.add_to(sums);
  }
  const libumcg::carrier_counts carriers = group_.plug->carriers();
  sums.carriers = carriers.made;
  sums.spare_carriers = carriers.spare;
  return sums;
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
  const libumcg::preempt_guard library_code(libumcg::current_task);
  libumcg::publish(record->self());
  return {*record, run};
}

}  // namespace umcg::sched
