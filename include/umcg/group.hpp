// SPDX-License-Identifier: MIT
#pragma once

// A group: a few servers (threads) that run any number of workers, each server with a reactor of
// its own for the workers' I/O.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <system_error>

#include "umcg/body.hpp"
#include "umcg/counters.hpp"
#include "umcg/hand_off.hpp"
#include "umcg/worker.hpp"

namespace umcg {

struct group_options {
  unsigned servers = 0;          // 0: one for each CPU this process may use; at most 256
  std::string kernel = "auto";   // how workers are run: auto, usermode, futex, native
  std::string reactor = "auto";  // how they wait for I/O: auto, io_uring, epoll
  // Address space of a worker's stack; memory is used as it is touched.
  std::size_t stack_size_bytes = 256 * 1024;
  std::size_t workers_max = 0;  // at most so many at once; 0: as many as memory allows
  // A line on standard error when all workers wait for each other and nothing is known that could
  // end that, such as I/O or a deadline. A hint: a thread outside the group could, all the same.
  bool deadlock_hints = true;
  // How long a worker may compute; then it is preempted, by a signal (see
  // umcg_set_preemption_signal()), and takes turns with others like it, behind those that wait for
  // I/O. 0: never; at most a day. As precise as hand_off.tick; half usermode only. A system call of
  // the worker's own that begins just then may end with EINTR, as signal(7) has it.
  std::chrono::milliseconds quantum = std::chrono::milliseconds(5);
  hand_off_options hand_off = {};
};

class group {
 public:
  // Starts the servers. Errors: invalid_argument (an option), function_not_supported and others
  // when this machine cannot have what is asked for; the exception's what() says what to do.
  static group start(const group_options& options = {});
  static group start(const group_options& options, std::error_code& error);

  group(group&&) noexcept;
  group& operator=(group&&) noexcept;
  // As stop().
  ~group();

  // A new worker that runs `work`. Any thread or worker may call it. An exception that leaves the
  // body ends the program, as one that leaves a std::thread does. thread_local objects live as long
  // as the worker's thread, which runs other bodies later. Errors: resource_unavailable_try_again
  // (workers_max, or a limit of the system), not_enough_memory.
  worker spawn(body work, const worker_options& options = {});
  worker spawn(body work, const worker_options& options, std::error_code& error);

  // Waits until every worker has ended, then ends the servers. Blocks the calling thread, which
  // must not be one of the group's workers. Workers may spawn others until the last of them ends.
  void stop() noexcept;

  unsigned servers() const noexcept;
  // Workers that have been spawned and not ended.
  std::size_t workers() const noexcept;
  // What the servers have done so far. Any thread may call it; never blocks. After stop() all is 0.
  umcg::counters counters() const noexcept;
  // One line for the log: which kernel half and which reactor are in use, and why.
  const std::string& description() const noexcept;

 private:
  class state;
  explicit group(std::unique_ptr<state> started) noexcept;
  std::unique_ptr<state> state_;
};

}  // namespace umcg
