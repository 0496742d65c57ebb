// SPDX-License-Identifier: MIT
#pragma once

// A bounded queue of values between workers of any groups, servers, basic tasks and plain threads.
//
//   umcg::sync::channel<job> jobs(64);
//   group.spawn([&] { for (job& each : jobs) each.run(); }).detach();
//   jobs.send(job(...));  // waits while 64 are on their way
//   jobs.close();         // the loop ends when it has run them all
//
// Order. Values are received in the order in which they were sent, each by one receiver: if one
// send() returned before another began, its value is received first. Those who wait for room, or
// for a value, are served in the order in which they came, and nobody overtakes them. What the
// sender did before is seen by who has received the value.
//
// Exceptions. Values are copied and moved, one at a time, while the channel is locked for others;
// the value of a sender that waits for room, if that cannot throw, by whoever makes the room.
// If that throws, the exception leaves the call, and the channel is as it was before: a value that
// could not be put in is not in it, one that could not be taken out is still the next, in the state
// in which its move left it. Values' constructors must not use the channel.
//
// Scopes. A wait that a scope around the caller ends throws, as umcg/sync.hpp says; a value that
// was to be sent was not touched, and none was received.
//
// Waiting for several channels: umcg/sync/select.hpp.
//
// Thread safety: all functions may be called at any time. A channel may be destroyed when every
// receive that waited has returned and no other call will be made, even if the send() has not
// returned whose value was received last. The values left in it are destroyed.

#include <cstddef>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "umcg/deadline.hpp"
#include "umcg/sync/channel_core.hpp"

namespace umcg::sync {

template <class T>
class channel {
 public:
  class iterator;

  // Room for `capacity` values, at least one: none is reported, and ends the program. Throws
  // std::bad_alloc.
  explicit channel(std::size_t capacity) : places_(new place[capacity]), core_(capacity) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  ~channel() {
    for (std::size_t left = core_.size(); left > 0; --left) {
      core_.try_begin(channel_end::receive);
      taking(core_).destroy(head());
    }
  }

  // Sends a value, and blocks while there is no room. False: the channel is closed, and the value
  // was not touched.
  bool send(const T& value) { return put(deadline::never(), value) == channel_result::done; }
  bool send(T&& value) { return put(deadline::never(), std::move(value)) == channel_result::done; }

  // The same until the deadline: timed_out. If there is room, the value is sent also when the
  // deadline has passed. Unless the result is done, the value was not touched.
  channel_result send_until(deadline until, const T& value) { return put(until, value); }
  channel_result send_until(deadline until, T&& value) { return put(until, std::move(value)); }

  // Without waiting for room: timed_out says that there is none.
  channel_result try_send(const T& value) { return put(at_once(), value); }
  channel_result try_send(T&& value) { return put(at_once(), std::move(value)); }

  // Receives the next value, and blocks while there is none. Empty: the channel is closed, and all
  // that was in it has been received.
  std::optional<T> receive() {
    channel_result result;
    return receive_until(deadline::never(), result);
  }

  // The same until the deadline; `result` says why there is no value. A value that is there is
  // received also when the deadline has passed.
  std::optional<T> receive_until(deadline until, channel_result& result) {
    std::optional<T> value;
    result = core_.begin(channel_end::receive, until);
    if (result == channel_result::done) take_into(value);
    return value;
  }
  std::optional<T> receive_until(deadline until) {
    channel_result result;
    return receive_until(until, result);
  }

  // Without waiting for a value.
  std::optional<T> try_receive() { return receive_until(at_once()); }

  // From now on nothing can be sent: those who wait for room get closed. What is in the channel can
  // still be received; then those who wait for a value get nothing. Never blocks but for the move
  // of a value. A second call does nothing.
  void close() noexcept { core_.close(); }

  // These may have changed before the call returns.
  bool closed() const noexcept { return core_.closed(); }
  std::size_t size() const noexcept { return core_.size(); }
  std::size_t capacity() const noexcept { return core_.capacity(); }

  // for (T& value : channel): receives until the channel is closed and empty. The values belong to
  // the loop. Any number of workers may loop over one channel.
  iterator begin() { return iterator(*this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  template <class>
  friend class receive_case;
  template <class, class>
  friend class send_case;

  struct place {
    alignas(T) std::byte bytes[sizeof(T)];
  };

  // The ring is the caller's, until the end of its block; whether it has put or taken a value, the
  // channel learns then.
  class putting {
   public:
    explicit putting(channel_core& core) noexcept : core_(core) {}
    ~putting() { core_.end_sending(done_); }
    putting(const putting&) = delete;
    putting& operator=(const putting&) = delete;
    template <class Value>
    void construct(void* at, Value&& value) {
      new (at) T(std::forward<Value>(value));
      done_ = true;
    }

   private:
    channel_core& core_;
    bool done_ = false;
  };

  class taking {
   public:
    explicit taking(channel_core& core) noexcept : core_(core) {}
    ~taking() { core_.end_receiving(done_); }
    taking(const taking&) = delete;
    taking& operator=(const taking&) = delete;
    void move(T& from, std::optional<T>& to) {
      to.emplace(std::move(from));
      destroy(from);
    }
    void destroy(T& value) noexcept {
      std::destroy_at(&value);
      done_ = true;
    }

   private:
    channel_core& core_;
    bool done_ = false;
  };

  template <class Value>
  class ready final : public ready_value {
   public:
    ready(channel& to, Value&& value) noexcept : to_(to), value_(std::forward<Value>(value)) {}
    void put(std::size_t at) noexcept override {
      new (to_.places_[at].bytes) T(std::forward<Value>(value_));
      was_put_ = true;
    }
    bool was_put() const noexcept { return was_put_; }

   private:
    channel& to_;
    Value&& value_;
    bool was_put_ = false;
  };

  static constexpr deadline at_once() noexcept {
    return deadline(deadline::clock::time_point::min());
  }

  T& head() noexcept { return *std::launder(reinterpret_cast<T*>(places_[core_.head()].bytes)); }

  template <class Value>
  channel_result put(deadline until, Value&& value) {
    if constexpr (std::is_nothrow_constructible_v<T, Value&&>) {
      ready<Value> held(*this, std::forward<Value>(value));
      const channel_result result = core_.begin(channel_end::send, until, &held);
      if (result == channel_result::done && !held.was_put()) put_in(std::forward<Value>(value));
      return result;
    } else {
      const channel_result result = core_.begin(channel_end::send, until);
      if (result == channel_result::done) put_in(std::forward<Value>(value));
      return result;
    }
  }

  // Of one who owns the ring, and no longer does then.
  template <class Value>
  void put_in(Value&& value) {
    putting(core_).construct(places_[core_.tail()].bytes, std::forward<Value>(value));
  }
  void take_into(std::optional<T>& value) { taking(core_).move(head(), value); }

  std::unique_ptr<place[]> places_;
  channel_core core_;
};

// Owns the value that it stands on.
template <class T>
class channel<T>::iterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;

  explicit iterator(channel& from) : from_(&from), value_(from.receive()) {}

  T& operator*() noexcept { return *value_; }
  iterator& operator++() {
    value_ = from_->receive();
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(std::default_sentinel_t) const noexcept { return !value_.has_value(); }

 private:
  channel* from_;
  std::optional<T> value_;
};

}  // namespace umcg::sync
