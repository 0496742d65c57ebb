// SPDX-License-Identifier: MIT
#include "umcg/sync/channel_core.hpp"

#include "base/assert.hpp"
#include "libumcg/scheduling.hpp"
#include "sync/waiter.hpp"

namespace umcg::sync {

namespace {

// The first in line that nobody else has claimed, out of the line; null: there is none.
waiter* pop_claimed(waiter_list& line) noexcept {
  while (waiter* first = line.pop()) {
    if (first->claim()) return first;
  }
  return nullptr;
}

// The mark of a place in several lines is the number of its case.
ready_value* held_by(const waiter& sender) noexcept {
  return sender.is_only_place() ? reinterpret_cast<ready_value*>(sender.mark) : nullptr;
}

}  // namespace

class channel_core::lock_guard {
 public:
  explicit lock_guard(const channel_core& core) noexcept : core_(core) { core_.lock(); }
  ~lock_guard() { core_.mutex_.unlock(); }
  lock_guard(const lock_guard&) = delete;
  lock_guard& operator=(const lock_guard&) = delete;

 private:
  const channel_core& core_;
};

channel_core::channel_core(std::size_t capacity) noexcept : state_(capacity) {
  UMCG_ASSERT(capacity >= 1 && "a channel has room for one value at least");
}

// The others own the mutex while they move one value, so no scope has to end this.
void channel_core::lock() const noexcept {
  if (mutex_.try_lock()) return;
  const scope_shield whatever_scopes_say;
  mutex_.lock();
}

waiter_list& channel_core::line(channel_end end) noexcept {
  return end == channel_end::send ? senders_ : receivers_;
}

// A closed channel gives out what it has.
channel_result channel_core::look(channel_end end) const noexcept {
  if (end == channel_end::receive && state_.has_value()) return channel_result::done;
  if (state_.closed()) return channel_result::closed;
  const bool can_send = end == channel_end::send && state_.has_room();
  return can_send ? channel_result::done : channel_result::timed_out;
}

channel_result channel_core::unlock_unless_done(channel_result result) noexcept {
  if (result != channel_result::done) mutex_.unlock();
  return result;
}

channel_result channel_core::try_begin(channel_end end) noexcept {
  lock();
  return unlock_unless_done(look(end));
}

channel_result channel_core::begin(channel_end end, deadline until, ready_value* held) {
  lock();
  const channel_result now = look(end);
  if (now != channel_result::timed_out || until.passed()) return unlock_unless_done(now);
  const channel_result then = wait_in_line(end, until, held);
  if (then == channel_result::done && held == nullptr) return begin_promised(end);
  if (then == channel_result::timed_out) sched::report_scope_end(until);
  return then;
}

channel_result channel_core::begin_promised(channel_end end) noexcept {
  lock();
  if (end == channel_end::receive) {
    state_.redeem_value();
    return channel_result::done;
  }
  // Void if the channel was closed meanwhile.
  state_.redeem_room();
  return unlock_unless_done(state_.closed() ? channel_result::closed : channel_result::done);
}

// It takes its other places out of their queues before it goes on here: until then it has a promise
// like one that was in line, and owns no mutex.
channel_turn channel_core::queue(channel_end end, waiter& place) noexcept {
  const lock_guard guard(*this);
  const channel_result now = look(end);
  if (now == channel_result::timed_out) {
    line(end).push_back(place);
    return channel_turn::waits;
  }
  if (!place.claim()) return channel_turn::elsewhere;
  if (now == channel_result::closed) return channel_turn::closed;
  promise(end);
  return channel_turn::promised;
}

void channel_core::put_or_promise(const waiter& sender) noexcept {
  ready_value* const held = held_by(sender);
  if (held == nullptr) return state_.promise_room();
  held->put(state_.tail());
  state_.put();
}

void channel_core::promise(channel_end end) noexcept {
  end == channel_end::send ? state_.promise_room() : state_.promise_value();
}

void channel_core::leave(channel_end end, waiter& place) noexcept {
  const lock_guard guard(*this);
  line(end).remove(place);
}

void channel_core::end_sending(bool sent) noexcept {
  if (sent) state_.put();
  unlock();
}

void channel_core::end_receiving(bool received) noexcept {
  if (received) state_.take();
  unlock();
}

// Who waits has nothing to take and, from now on, nothing to come; or nowhere to put.
void channel_core::close() noexcept {
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter_chain all;
  {
    const lock_guard locked(*this);
    state_.close();
    all.add_claimed(senders_.take_all());
    all.add_claimed(receivers_.take_all());
  }
  all.send(signal::called);
}

std::size_t channel_core::size() const noexcept {
  const lock_guard guard(*this);
  return state_.count();
}

bool channel_core::closed() const noexcept {
  const lock_guard guard(*this);
  return state_.closed();
}

channel_result channel_core::wait_in_line(channel_end end, deadline until,
                                          ready_value* held) noexcept {
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter self(wait_reason::channel, this, reinterpret_cast<std::uintptr_t>(held));
  line(end).push_back(self);
  mutex_.unlock();
  signal received = self.wait(until);
  if (received == signal::none) {
    if (self.claim_for_itself()) {
      leave(end, self);
      return channel_result::timed_out;
    }
    // Another one has put its value, and the channel may be gone.
    received = self.wait_for_signal();
  }
  return received == signal::granted ? channel_result::done : channel_result::closed;
}

// Senders first: what one holds ready may be what a receiver waits for.
void channel_core::unlock() noexcept {
  waiter* sender = nullptr;
  waiter* receiver = nullptr;
  if (!senders_.empty() && state_.has_room()) {
    sender = pop_claimed(senders_);
    if (sender != nullptr) put_or_promise(*sender);
  }
  if (!receivers_.empty() && state_.has_value()) {
    receiver = pop_claimed(receivers_);
    if (receiver != nullptr) state_.promise_value();
  }
  mutex_.unlock();
  if (receiver == nullptr && sender == nullptr) return;
  const libumcg::preempt_guard guard(libumcg::current_task);
  if (receiver != nullptr) receiver->send(signal::granted);
  if (sender != nullptr) sender->send(signal::granted);
}

}  // namespace umcg::sync
