// SPDX-License-Identifier: MIT
#pragma once

// Ending the blocking calls of others.
//
//   umcg::cancellation_source stopping;
//   group.spawn([token = stopping.token()] {
//     const umcg::cancellation_scope scope(token);
//     for (;;) serve(listener.accept());  // ends with asio::error::operation_aborted
//   });
//   stopping.cancel();
//
// Once a source is cancelled, every blocking call that a worker or thread makes in a scope of one
// of its tokens ends with asio::error::operation_aborted: I/O, umcg::sleep_until(), waits of
// umcg::sync and task groups, as umcg::deadline_scope has the list. I/O and sleeps that begin later
// end at once; a wait of umcg::sync that need not wait succeeds. What a call has done until then is
// not undone: bytes that were sent are sent.
//
// On a plain thread, and in a blocking region, I/O that waits in a scope uses one file descriptor
// for as long as it waits, and reports no_descriptors if there is none.
//
// Thread safety: sources and tokens may be copied, used and cancelled by any worker or thread at
// any time. A scope is the caller's own.

#include "umcg/deadline.hpp"
#include "umcg/scope_state.hpp"

namespace umcg {

namespace sched {

class cancellation_node;
class cancelled_calls;

// One place in the list of those that a cancellation reaches.
class cancellation_listener {
 public:
  cancellation_listener(const cancellation_listener&) = delete;
  cancellation_listener& operator=(const cancellation_listener&) = delete;

 protected:
  cancellation_listener() noexcept = default;
  ~cancellation_listener() = default;

 private:
  friend class cancellation_node;
  // Under the list's lock, once it is out of the list.
  virtual void cancel_under_lock(cancelled_calls& found) noexcept = 0;

  cancellation_listener* next_ = nullptr;
  cancellation_listener* previous_ = nullptr;
  bool listed_ = false;
};

}  // namespace sched

class cancellation_token {
 public:
  // Of no source: never cancelled.
  cancellation_token() noexcept = default;
  cancellation_token(const cancellation_token& other) noexcept;
  cancellation_token(cancellation_token&& other) noexcept;
  cancellation_token& operator=(const cancellation_token& other) noexcept;
  cancellation_token& operator=(cancellation_token&& other) noexcept;
  ~cancellation_token();

  // Whether the source is cancelled, or one that it is below. Never becomes false again.
  bool cancelled() const noexcept;

 private:
  friend class cancellation_source;
  friend class cancellation_scope;
  explicit cancellation_token(sched::cancellation_node& node) noexcept;

  sched::cancellation_node* node_ = nullptr;  // holds a reference
};

// Copies are one source. One that was moved from has no tokens to cancel.
class cancellation_source {
 public:
  // Throws std::bad_alloc.
  cancellation_source();
  // Is cancelled with the token's source, and can be cancelled without it.
  explicit cancellation_source(const cancellation_token& parent);

  // One that is cancelled with any of the scopes around the caller.
  static cancellation_source below_scopes();

  // Ends the blocking calls in all scopes of the source's tokens, and of sources below it. Never
  // blocks; returns when all of them have been told. A second call does nothing.
  void cancel() noexcept;

  bool cancelled() const noexcept { return token_.cancelled(); }
  const cancellation_token& token() const noexcept { return token_; }

 private:
  explicit cancellation_source(sched::cancellation_node& node) noexcept : token_(node) {}
  cancellation_token token_;
};

// While it lives, the caller's blocking calls end when the token's source is cancelled. Scopes
// nest, in the order of their lives; each of them ends what is inside.
class [[nodiscard]] cancellation_scope final : private sched::cancellation_listener {
 public:
  explicit cancellation_scope(const cancellation_token& token) noexcept;
  ~cancellation_scope();

  // Whether a scope around the caller is cancelled: for work that does not block.
  static bool cancelled() noexcept;

  // The rest is the library's own.
  const cancellation_scope* outer() const noexcept { return outer_; }
  const cancellation_token& token() const noexcept { return token_; }
  bool is_cancelled() const noexcept { return flag_.set(); }
  sched::wait_slot& slot() const noexcept { return slot_; }

 private:
  void cancel_under_lock(sched::cancelled_calls& found) noexcept override;

  const cancellation_token token_;
  cancellation_scope* const outer_;
  sched::scope_flag flag_;
  sched::wait_slot own_slot_;  // of the outermost scope: one for each worker or thread
  sched::wait_slot& slot_;
};

// While it lives, no scope around it bounds the caller's blocking calls: for what has to be done
// also when time is up, such as to tell a peer goodbye. Scopes inside count. Give such work a
// deadline of its own.
class [[nodiscard]] scope_shield {
 public:
  scope_shield() noexcept;
  ~scope_shield();
  scope_shield(const scope_shield&) = delete;
  scope_shield& operator=(const scope_shield&) = delete;

 private:
  const deadline until_before_;
  cancellation_scope* const scope_before_;
};

}  // namespace umcg
