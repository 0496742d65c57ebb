// SPDX-License-Identifier: MIT
#pragma once

// Servers and the workers they run: the threads of the servers, the loop take - run - park, and the
// pool of workers.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "base/short_lock.hpp"
#include "libumcg/group.hpp"
#include "sched/event_source.hpp"
#include "sched/worker_record.hpp"
#include "umcg/body.hpp"
#include "umcg/counters.hpp"
#include "umcg/worker.hpp"

namespace umcg::sched {

struct limits {
  std::size_t stack_size_bytes;
  std::size_t workers_max;  // 0: none
  bool deadlock_hints = true;
  // How long a worker may compute while others wait; 0: for ever.
  std::chrono::nanoseconds quantum{0};
};

class server_group {
 public:
  server_group(libumcg::half& plug, const limits& limits) noexcept;
  server_group(const server_group&) = delete;
  server_group& operator=(const server_group&) = delete;
  ~server_group() { stop(); }

  // Starts one server on each event source; they belong to the group from here on. Errors: those of
  // making threads.
  std::error_code start(std::vector<std::unique_ptr<event_source>> sources);

  worker spawn(body work, const worker_options& options, std::error_code& error);

  // Waits for all workers, ends the servers, then the pooled workers' threads. A second call does
  // nothing.
  void stop() noexcept;

  // One live worker less.
  void forget() noexcept;
  // Takes back a worker whose body has ended.
  void pool(worker_record& idle) noexcept;

  std::size_t servers() const noexcept { return threads_.size(); }
  std::size_t workers() const noexcept { return live_.load(); }
  counters counts() const noexcept;

  // For the loop of a server, on its carrier.
  void park(libumcg::task& server, const event_source& source) noexcept;
  bool stopping() const noexcept { return stopping_.load(); }

 private:
  void serve(event_source& source, unsigned number, std::atomic<std::uint32_t>& started) noexcept;
  worker_record* take_pooled(std::size_t stack_size_bytes) noexcept;
  worker_record** make_home(std::size_t stack_size_bytes) noexcept;
  worker_record* make_record(std::size_t stack_size_bytes, std::error_code& error) noexcept;
  bool admit() noexcept;  // one live worker more, unless there are too many
  void retire_all() noexcept;

  libumcg::group group_;
  const limits limits_;
  std::vector<std::unique_ptr<event_source>> sources_;  // fixed after start
  std::vector<std::thread> threads_;                    // fixed after start
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint32_t> live_{0};  // also the futex that stop() waits on

  base::short_lock pool_lock_;
  // Idle records by stack size. Nodes stay where they are, so a record finds its own without a
  // search.
  std::map<std::size_t, worker_record*> pooled_ UMCG_GUARDED_BY(pool_lock_);
};

}  // namespace umcg::sched
