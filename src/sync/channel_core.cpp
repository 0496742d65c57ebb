// SPDX-License-Identifier: MIT
#include "umcg/sync/channel_core.hpp"

#include <mutex>

#include "base/assert.hpp"
#include "libumcg/scheduling.hpp"
#include "sync/waiter.hpp"

namespace umcg::sync {

channel_core::channel_core(std::size_t capacity) noexcept : state_(capacity) {
  UMCG_ASSERT(capacity >= 1 && "a channel has room for one value at least");
}

channel_result channel_core::begin_sending(deadline until) noexcept {
  mutex_.lock();
  if (!state_.closed() && !state_.has_room()) {
    const end_of_wait end = wait_in(senders_, until);
    if (end == end_of_wait::timed_out) return channel_result::timed_out;
    if (end == end_of_wait::closed) return channel_result::closed;
    mutex_.lock();
    // Void if the channel was closed meanwhile.
    state_.redeem_room();
  }
  if (!state_.closed()) return channel_result::done;
  mutex_.unlock();
  return channel_result::closed;
}

void channel_core::end_sending(bool sent) noexcept {
  if (sent) state_.put();
  unlock();
}

channel_result channel_core::begin_receiving(deadline until) noexcept {
  mutex_.lock();
  if (state_.has_value()) return channel_result::done;
  if (state_.closed()) {
    mutex_.unlock();
    return channel_result::closed;
  }
  const end_of_wait end = wait_in(receivers_, until);
  if (end == end_of_wait::timed_out) return channel_result::timed_out;
  if (end == end_of_wait::closed) return channel_result::closed;
  mutex_.lock();
  state_.redeem_value();
  return channel_result::done;
}

void channel_core::end_receiving(bool received) noexcept {
  if (received) state_.take();
  unlock();
}

// Who waits has nothing to take and, from now on, nothing to come; or nowhere to put.
void channel_core::close() noexcept {
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter* senders;
  waiter* receivers;
  {
    const std::lock_guard lock(mutex_);
    state_.close();
    senders = senders_.take_all();
    receivers = receivers_.take_all();
  }
  waiter_chain(senders).send(signal::called);
  waiter_chain(receivers).send(signal::called);
}

std::size_t channel_core::size() const noexcept {
  const std::lock_guard lock(mutex_);
  return state_.count();
}

bool channel_core::closed() const noexcept {
  const std::lock_guard lock(mutex_);
  return state_.closed();
}

channel_core::end_of_wait channel_core::wait_in(waiter_list& waiting, deadline until) noexcept {
  if (until.passed()) {
    mutex_.unlock();
    return end_of_wait::timed_out;
  }
  const libumcg::preempt_guard guard(libumcg::current_task);
  waiter self;
  waiting.push_back(self);
  mutex_.unlock();
  signal received = self.wait(until);
  if (received == signal::none) {
    mutex_.lock();
    const bool left = waiting.remove(self);
    mutex_.unlock();
    if (left) return end_of_wait::timed_out;
    received = self.wait(deadline::never());
  }
  return received == signal::granted ? end_of_wait::promised : end_of_wait::closed;
}

void channel_core::unlock() noexcept {
  waiter* receiver = nullptr;
  waiter* sender = nullptr;
  if (!receivers_.empty() && state_.has_value()) {
    receiver = receivers_.pop();
    state_.promise_value();
  }
  if (!senders_.empty() && state_.has_room()) {
    sender = senders_.pop();
    state_.promise_room();
  }
  mutex_.unlock();
  if (receiver == nullptr && sender == nullptr) return;
  const libumcg::preempt_guard guard(libumcg::current_task);
  if (receiver != nullptr) receiver->send(signal::granted);
  if (sender != nullptr) sender->send(signal::granted);
}

}  // namespace umcg::sync
