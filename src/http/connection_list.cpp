// SPDX-License-Identifier: MIT

#include "http/connection_list.hpp"

#include <system_error>

namespace umcg::http {

listed_connection::listed_connection(connection_list& list, net::stream& peer) noexcept
    : list_(list), peer_(peer) {
  admitted_ = list_.add(*this, number_);
}

listed_connection::~listed_connection() {
  if (admitted_) list_.remove(*this);
}

bool listed_connection::draining() const noexcept { return list_.draining(); }

bool connection_list::add(listed_connection& added, std::uint64_t& number) noexcept {
  base::short_guard guard(lock_);
  if (draining_) return false;
  number = ++last_number_;
  added.next_ = first_;
  if (first_) first_->previous_ = &added;
  first_ = &added;
  ++size_;
  return true;
}

void connection_list::remove(listed_connection& removed) noexcept {
  {
    base::short_guard guard(lock_);
    (removed.previous_ ? removed.previous_->next_ : first_) = removed.next_;
    if (removed.next_) removed.next_->previous_ = removed.previous_;
  }
  // Whoever waits for zero may destroy the list as soon as it is seen, so it comes last.
  const bool awaited = draining_;
  if (--size_ == 0 && awaited) base::futex_wake(size_);
}

void connection_list::drain() noexcept {
  base::short_guard guard(lock_);
  draining_ = true;
  for (listed_connection* each = first_; each; each = each->next_) {
    std::error_code ignored;  // a connection that its peer has reset ends by itself
    if (!each->mid_request_) each->peer_.shutdown_receive(ignored);
  }
}

void connection_list::end_all() noexcept {
  base::short_guard guard(lock_);
  draining_ = true;
  for (listed_connection* each = first_; each; each = each->next_) {
    std::error_code ignored;
    each->peer_.shutdown_both(ignored);
  }
}

bool connection_list::wait_until_empty(deadline until) noexcept {
  for (;;) {
    const std::uint32_t size = size_;
    if (size == 0) return true;
    if (until.passed()) return false;
    base::futex_wait(size_, size, until);
  }
}

}  // namespace umcg::http
