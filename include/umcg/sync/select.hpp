// SPDX-License-Identifier: MIT
#pragma once

// Waiting for the first of several channels.
//
//   std::optional<job> work;
//   std::optional<std::monostate> news;
//   switch (umcg::sync::select(receiving(work, jobs), receiving(news, changes)).chosen) {
//     case 0: ...  // `work` has the next job, or nothing: the channel is closed
//     case 1: ...
//   }
//
// Exactly one of the cases is done. A case can be done if its channel would not let the same call
// wait: for a receiver there is a value, for a sender a room, or the channel is closed. Of several
// that can be done at once, each is as likely as the others. While none can, the caller waits in
// line at each of the channels, as a receiver or sender that came at that time.
//
// Errors: exceptions of values, as in channel.hpp; those of a scope around the caller
// (umcg/sync.hpp). Then no case is done.
//
// Thread safety: as other calls of each channel. A channel may be in several cases.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "umcg/deadline.hpp"
#include "umcg/sync/channel.hpp"
#include "umcg/sync/channel_core.hpp"

namespace umcg::sync {

struct select_result {
  static constexpr std::size_t none = SIZE_MAX;
  // The number of the case, from 0; none: timed_out.
  std::size_t chosen;
  channel_result result;
};

inline constexpr std::size_t select_cases_max = 16;

// The part of a case that does not know what is sent.
struct select_case {
  channel_core* core;
  channel_end end;
};

// Waits for the first of the cases, and begins it: the caller owns that channel's ring if the
// result is done. For the library itself.
select_result select_and_begin(std::span<const select_case> cases, deadline until);

template <class T>
class receive_case {
 public:
  receive_case(std::optional<T>& into, channel<T>& from) noexcept : into_(into), from_(from) {}
  select_case plain() const noexcept { return {&from_.core_, channel_end::receive}; }
  void finish(channel_result begun) {
    into_.reset();
    if (begun == channel_result::done) from_.take_into(into_);
  }

 private:
  std::optional<T>& into_;
  channel<T>& from_;
};

template <class T, class Value>
class send_case {
 public:
  send_case(Value&& value, channel<T>& to) noexcept : value_(std::forward<Value>(value)), to_(to) {}
  select_case plain() const noexcept { return {&to_.core_, channel_end::send}; }
  void finish(channel_result begun) {
    if (begun == channel_result::done) to_.put_in(std::forward<Value>(value_));
  }

 private:
  Value&& value_;
  channel<T>& to_;
};

// To receive into `into`, which is empty afterwards if the channel is closed and has no values.
template <class T>
receive_case<T> receiving(std::optional<T>& into, channel<T>& from) noexcept {
  return {into, from};
}

// To send a value, which is moved from only if this case is chosen and the channel is not closed.
// It has to live until the select is over.
template <class T>
send_case<T, const T&> sending(const std::type_identity_t<T>& value, channel<T>& to) noexcept {
  return {value, to};
}
template <class T>
send_case<T, T> sending(std::type_identity_t<T>&& value, channel<T>& to) noexcept {
  return {std::move(value), to};
}

// Blocks until one of the cases is done, or until the deadline: timed_out. A case that can be done
// at once is done also when the deadline has passed.
template <class... Cases>
select_result select_until(deadline until, Cases&&... cases) {
  static_assert(sizeof...(Cases) >= 1 && sizeof...(Cases) <= select_cases_max);
  const std::array<select_case, sizeof...(Cases)> plain{cases.plain()...};
  const select_result begun = select_and_begin(plain, until);
  std::size_t number = 0;
  ((number++ == begun.chosen ? cases.finish(begun.result) : void()), ...);
  return begun;
}

template <class... Cases>
select_result select(Cases&&... cases) {
  return select_until(deadline::never(), std::forward<Cases>(cases)...);
}

// Without waiting: timed_out says that none of the cases can be done now.
template <class... Cases>
select_result try_select(Cases&&... cases) {
  return select_until(deadline(deadline::clock::time_point::min()), std::forward<Cases>(cases)...);
}

}  // namespace umcg::sync
