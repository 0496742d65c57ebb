// SPDX-License-Identifier: MIT
#pragma once

// Workers that do parts of one thing, and end with it: structured concurrency.
//
//   umcg::task_group parts;
//   parts.spawn(group, [&] { user = load_user(id); });
//   parts.spawn(group, [&] { orders = load_orders(id); });
//   parts.join();  // both are done; or one has thrown, and the other was ended
//
// No child outlives the task group, so children may use what was there before it. The first
// exception that leaves a child cancels the others - their blocking calls end with
// asio::error::operation_aborted - and join() throws it. Exceptions of the others are dropped, and
// operation_aborted is none once the task group is cancelled: the child has done as it was told.
//
// Scopes. Children inherit the scopes that are around the constructor, deadlines and cancellations.
// join() waits for them even then, as long as they take to end.
//
// Thread safety: spawn() and cancel() may be called by any worker or thread, children included,
// until the last child is done; join() by the one that owns the task group, which may be a plain
// thread. A worker, server or basic task that joins waits as what it is.

#include <exception>
#include <system_error>
#include <utility>

#include "umcg/body.hpp"
#include "umcg/cancellation.hpp"
#include "umcg/deadline.hpp"
#include "umcg/group.hpp"
#include "umcg/sync/task_group_state.hpp"
#include "umcg/sync/wait_group.hpp"
#include "umcg/worker.hpp"

namespace umcg {

class task_group {
 public:
  // Throws std::bad_alloc.
  task_group();
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  // Cancels the children that are not done, and waits for them. What they throw is dropped.
  ~task_group();

  // A new worker of `on` that runs `work`, a callable without arguments; it is destroyed before the
  // child is done. A child of a cancelled task group begins all the same, and its first blocking
  // call ends. Errors: as group::spawn().
  template <class Work>
  void spawn(group& on, Work&& work, const worker_options& options = {}) {
    start(on, body(std::forward<Work>(work)), options);
  }

  // Blocks until all children are done, however long that takes. Throws the first exception that
  // has left one of them, once; or std::system_error with operation_aborted if none has, but a
  // scope around the caller is cancelled and has ended one. More can be spawned then; in a
  // cancelled task group they are cancelled too.
  void join();

  // Ends the blocking calls of all children, of those that are still to be spawned too.
  void cancel() noexcept { source_.cancel(); }
  // By which what else belongs to the children can be cancelled with them.
  const cancellation_token& token() const noexcept { return source_.token(); }

 private:
  void start(group& on, body work, const worker_options& options);
  void run(body work) noexcept;
  void keep_exception() noexcept;
  void wait() noexcept;

  cancellation_source source_;
  const deadline until_;
  sync::wait_group children_;
  sync::task_group_state state_;
  std::exception_ptr first_;  // passes from the child that failed first to join()
};

}  // namespace umcg
